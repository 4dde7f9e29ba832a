using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Scheduling;

internal sealed partial class Scheduler
{
    /// <summary>
    /// Acquires the features of every image in the window [start, start + count), reserving and planning the encoding of those that are not there.
    /// Returns how many tokens can run: the window is cut before the first image that has to wait. A sequence never holds an image
    /// while it waits for another one that lies before it, so waiting for room cannot deadlock.
    /// </summary>
    private int LimitByImages(Sequence sequence, int start, int count)
    {
        foreach (var image in sequence.Images)
        {
            if (image.End <= start)
            {
                continue;
            }

            if (image.Start >= start + count)
            {
                break;
            }

            if (image.Slot == ImageSpan.NoSlot && !TryPlace(sequence, image))
            {
                return Math.Max(0, image.Start - start);
            }
        }

        return count;
    }

    private bool TryPlace(Sequence sequence, ImageSpan image)
    {
        if (features.TryAcquire(image.Key, out var slot))
        {
            CountImage(hit: true);
            image.Slot = slot;
            return true;
        }

        if (features.Contains(image.Key))
        {
            return false; // its encoding goes on over the next steps
        }

        if (_wanted.Add(image.Key))
        {
            _plan.WantedPixels.Add(image.Key);
        }

        if (!pixels.IsReady(image.Key))
        {
            return false;
        }

        // An image larger than the whole budget runs alone in its step, one that is encoded in parts alone until it is done. Once one image has found no room, later ones may not
        // take the room it waits for.
        var affordable = image.Tokens <= _imageTokensLeft || _plan.Encodes.Count == 0;
        if (_roomClosed || _part is not null || !affordable || !features.TryReserve(image.Key, image.Tokens, sequence.Scope.Owner, out slot))
        {
            _roomClosed = true;
            return false;
        }

        CountImage(hit: false);
        _imageTokensLeft -= image.Tokens;
        TenantLedger.Charge(sequence, WorkOf(image.Tokens));
        if (!PlanEncoding(new ImageEncode(image.Key, slot, image.Tokens)))
        {
            return false;
        }

        features.TryAcquire(image.Key, out slot);
        image.Slot = slot;
        return true;
    }

    /// <summary>Makes everything that a sequence has computed or read unfindable; who holds it keeps it.</summary>
    public void Distrust(Sequence sequence)
    {
        prefixes.Remove(sequence.Keys.First(sequence.CachedBlocks, sequence.Tokens, sequence.Images));
        foreach (var image in sequence.Images)
        {
            features.Remove(image.Key);
        }
    }

    private void CountImage(bool hit)
    {
        ImageQueries++;
        ImageHits += hit ? 1 : 0;
    }
}
