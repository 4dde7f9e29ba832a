using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>Projections and rotation around <see cref="IAttention"/>.</summary>
internal sealed class SelfAttention : nn.Module
{
    private readonly TextConfig _config;
    private readonly int _layer;

    [ComponentName(Name = "q_proj")]
    private readonly Projection _query;

    [ComponentName(Name = "k_proj")]
    private readonly Projection _key;

    [ComponentName(Name = "v_proj")]
    private readonly Projection _value;

    [ComponentName(Name = "o_proj")]
    private readonly Projection _output;

    public SelfAttention(WeightScope scope, TextConfig config, int layer)
        : base(nameof(SelfAttention))
    {
        _config = config;
        _layer = layer;
        long queries = (long)config.Heads * config.HeadDim, keys = (long)config.KvHeads * config.HeadDim;
        _query = new Projection(scope.Child("q_proj"), config.Hidden, queries, config.AttentionBias);
        _key = new Projection(scope.Child("k_proj"), config.Hidden, keys, config.AttentionBias);
        _value = new Projection(scope.Child("v_proj"), config.Hidden, keys, config.AttentionBias);
        _output = new Projection(scope.Child("o_proj"), queries, config.Hidden, config.AttentionBias);
        RegisterComponents();
    }

    public Tensor Forward(Tensor hidden, (Tensor Cos, Tensor Sin) rotation, IAttention attention, AdapterBatch? adapters)
    {
        var query = _query.Forward(hidden, adapters).view(-1, _config.Heads, _config.HeadDim);
        var key = _key.Forward(hidden, adapters).view(-1, _config.KvHeads, _config.HeadDim);
        var value = _value.Forward(hidden, adapters).view(-1, _config.KvHeads, _config.HeadDim);
        var mixed = attention.Attend(_layer, RotaryTable.Rotate(query, rotation), RotaryTable.Rotate(key, rotation), value);
        return _output.Forward(mixed.reshape(-1, _config.Heads * _config.HeadDim), adapters);
    }
}
