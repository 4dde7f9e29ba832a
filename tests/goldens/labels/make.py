"""Writes labels.json: what LLaVA learns of a conversation, by template, for the tokeniser of a_llava15.

Nothing here is this repository's code: the SentencePiece file is parsed and applied by its published rules (BPE by score, leftmost first, byte fallback; after a special
token no space is put before the text, as LlamaTokenizer with legacy=false has it), the strings are those of haotian-liu/LLaVA, llava/conversation.py, and what is learned
follows llava/train/train.py: the answers with the space that leads them and what ends them, and nothing else. Run it in this folder; it needs Python 3 alone.
"""
import json, struct

def varint(b, i):
    n = s = 0
    while True:
        n |= (b[i] & 127) << s; s += 7; i += 1
        if b[i - 1] < 128: return n, i

def fields(b):
    i = 0
    while i < len(b):
        key, i = varint(b, i)
        kind = key & 7
        if kind == 0: v, i = varint(b, i)
        elif kind == 1: v, i = b[i:i + 8], i + 8
        elif kind == 5: v, i = b[i:i + 4], i + 4
        else:
            n, i = varint(b, i); v, i = b[i:i + n], i + n
        yield key >> 3, v

pieces = {}
for number, value in fields(open('../a_llava15/tokenizer.model', 'rb').read()):
    if number == 1:
        f = dict(fields(value))
        pieces[f[1].decode()] = (len(pieces), struct.unpack('<f', f.get(2, b'\0\0\0\0'))[0], f.get(3, 1))

def encode(text):
    """Ids with the characters each covers."""
    parts = [(c, i, i + 1) for i, c in enumerate(text)]
    while True:
        best = None
        for i in range(len(parts) - 1):
            found = pieces.get(parts[i][0] + parts[i + 1][0])
            if found and found[2] == 1 and (best is None or found[1] > best[0]): best = (found[1], i)
        if best is None: break
        i = best[1]
        parts[i:i + 2] = [(parts[i][0] + parts[i + 1][0], parts[i][1], parts[i + 1][2])]
    out = []
    for piece, start, end in parts:
        if piece in pieces and pieces[piece][2] in (1, 4): out.append((pieces[piece][0], start, end))
        else: out += [(pieces['<0x%02X>' % byte][0], start, end) for byte in piece.encode()]
    return out

SPECIAL = {'</s>': 2, '<s>': 1, '<image>': 1000}

def tokenise(spans):
    """spans: (text, learned); specials by name."""
    ids, learned, first = [1], [False], True
    run = []
    def flush():
        nonlocal run, first
        if not run: return
        text = ''.join(t for t, _ in run).replace(' ', '\u2581')
        marks = [l for t, l in run for _ in t]
        if first and text: text, marks = '\u2581' + text, [marks[0]] + marks
        for i, start, end in encode(text):
            assert len(set(marks[start:end])) == 1, 'a token across the border'
            ids.append(i); learned.append(marks[start])
        first, run = False, []
    for text, mark in spans:
        if text in SPECIAL:
            flush(); first = False
            ids.append(SPECIAL[text]); learned.append(mark)
        elif text: run.append((text, mark))
    flush()
    return ids, [i for i, l in enumerate(learned) if l]

POLITE = "A chat between a curious %s and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the %s's questions."

def pictured(text, picture): return [('<image>', False), ('\n' + text, False)] if picture else [(text, False)]

def two(system, turns):
    out = [(system + ' ', False)] if system else []
    for q, a, p in turns: out += [('USER: ', False), *pictured(q, p), (' ASSISTANT:', False), (' ' + a, True), ('</s>', True)]
    return out

def single(system, turns):
    out = [(system + '###', False)]
    for q, a, p in turns: out += [('Human: ', False), *pictured(q, p), ('###Assistant:', False), (' ' + a + '###', True)]
    return out

def llama2(system, turns):
    out = []
    for i, (q, a, p) in enumerate(turns):
        out += ([('<s>', False)] if i else []) + [('[INST] ', False)]
        if i == 0: out += [('<<SYS>>\n' + system + '\n<</SYS>>\n\n', False)]
        out += [*pictured(q, p), (' [/INST]', False), (' ' + a + ' ', True), ('</s>', True)]
    return out

def mistral(system, turns):
    out = []
    for q, a, p in turns: out += [('[INST] ', False), *pictured(q, p), (' [/INST]', False), (' ' + a, True), ('</s>', True)]
    return out

def chatml(system, turns):
    out = [('<|im_start|>system\n' + system + '<|im_end|>', False)]
    for q, a, p in turns: out += [('<|im_start|>user\n', False), *pictured(q, p), ('<|im_end|><|im_start|>assistant\n', False), (a + '<|im_end|>', True)]
    return out

def plain(system, turns):
    out = []
    for q, a, p in turns: out += ([('<image>', False)] if p else []) + [(a + '\n', True)]
    return out

TEMPLATES = {
    'vicuna_v1': (two, POLITE % ('user', 'user')),
    'llava_v1': (two, POLITE % ('human', 'human')),
    'bare': (two, ''),
    'v0': (single, POLITE % ('human', 'human')),
    'llava_v0': (single, POLITE % ('human', 'human')),
    'llava_llama_2': (llama2, 'You are a helpful language and vision assistant. You are able to understand the visual content that the user provides, and assist the user with a variety of tasks using natural language.'),
    'mistral_instruct': (mistral, ''),
    'mpt': (chatml, 'A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers.'),
    'chatml_direct': (chatml, 'Answer the questions.'),
    'plain': (plain, ''),
}
CASES = [
    [('What is this?', 'A cat.', True), ('Why?', 'It meows.', False)],
    [('Name three colours.', 'Red, green and\n  blue!', False)],
    [('a   b', '12345 \u00fc\u4e16', True)],
]
rows = []
for name, (render, system) in TEMPLATES.items():
    for turns in CASES:
        if name == 'plain' and len(turns) > 1: continue
        try: ids, learned = tokenise(render(system, turns))
        except AssertionError: ids, learned = None, None  # no label is right: must be refused
        rows.append({'template': name, 'turns': [{'question': q, 'answer': a, 'picture': p} for q, a, p in turns], 'ids': ids, 'learned': learned})
json.dump(rows, open('labels.json', 'w'), ensure_ascii=True, indent=None, separators=(',', ':'))
for row in rows: print(row['template'], None if row['ids'] is None else (len(row['ids']), row['learned']))
