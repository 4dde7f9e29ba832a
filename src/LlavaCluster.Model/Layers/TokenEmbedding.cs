using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>Rows of a table by id: [tokens] int64 to [tokens, hidden].</summary>
internal sealed class TokenEmbedding : nn.Module
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    public TokenEmbedding(WeightScope scope, long rows, long hidden)
        : base(nameof(TokenEmbedding))
    {
        _weight = scope.Take("weight", rows, hidden);
        RegisterComponents();
    }

    public Tensor Table => _weight;

    public Tensor Forward(Tensor ids) => _weight.index_select(0, ids);
}
