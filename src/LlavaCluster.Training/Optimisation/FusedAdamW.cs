using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Optimisation;

/// <summary>
/// AdamW over float32 parameters with libtorch's fused kernel, one call per group: 2.4 times faster on the CPU than TorchSharp's. Owns its moments; the network
/// owns the parameters. Use from the training thread only.
/// </summary>
public sealed class FusedAdamW : IDisposable
{
    // Only constant sources that a test compiles: TorchScript's compiler ends the process on an unknown name.
    private const string Source = """
        def step(p: List[Tensor], g: List[Tensor], m: List[Tensor], v: List[Tensor], s: List[Tensor], lr: float, beta1: float, beta2: float, decay: float, eps: float) -> None:
          torch._foreach_add_(s, 1.0)
          torch._fused_adamw_(p, g, m, v, [], s, lr=lr, beta1=beta1, beta2=beta2, weight_decay=decay, eps=eps, amsgrad=False, maximize=False)

        def clip(g: List[Tensor], limit: float) -> Tensor:
          norm = torch.norm(torch.stack(torch._foreach_norm(g, 2.0)))
          torch._foreach_mul_(g, torch.clamp(limit / (norm + 1e-6), max=1.0))
          return norm

        """;

    private const string Prefix = "optimiser.";

    private readonly jit.CompilationUnit _script = jit.compile(Source);
    private readonly Scalar? _limit;
    private readonly Scalar _firstDecay;
    private readonly Scalar _secondDecay;
    private readonly Scalar _epsilon;
    private readonly IReadOnlyList<State> _groups;

    /// <summary>Starts with zero moments. Unfreezes every parameter of the groups.</summary>
    public FusedAdamW(IReadOnlyList<ParameterGroup> groups, AdamWOptions options)
    {
        _limit = options.ClipNorm is { } limit ? Scalars.Of(limit) : null;
        (_firstDecay, _secondDecay, _epsilon) = (Scalars.Of(options.Beta1), Scalars.Of(options.Beta2), Scalars.Of(options.Epsilon));
        _groups = [.. groups.Where(group => group.Parameters.Count > 0).Select(group => new State(group))];
    }

    /// <summary>The moments and step counts for a checkpoint, by names that no parameter has. Views that belong to this optimiser.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Moments => _groups.SelectMany(group => group.Named());

    /// <summary>Applies the gradients that the backward pass left and zeroes them.</summary>
    /// <param name="rate">Factor on every group's learning rate.</param>
    /// <returns>The gradients' L2 norm before clipping, or null when nothing asked for it.</returns>
    public double? Step(double rate)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var gradients = _groups.Select(group => group.Gradients()).ToArray();
        double? norm = _limit is { } limit ? ((Tensor)_script.invoke("clip", gradients.SelectMany(of => of).ToArray(), limit)).item<float>() : null;
        for (var i = 0; i < _groups.Count; i++)
        {
            var group = _groups[i];
            var learningRate = Scalars.Of(group.Group.LearningRate * rate);
            _script.invoke(
                "step", group.Values, gradients[i], group.First, group.Second, group.Steps, learningRate, _firstDecay, _secondDecay, group.WeightDecay, _epsilon);
            GC.KeepAlive(learningRate);
            foreach (var gradient in gradients[i])
            {
                gradient.zero_();
            }
        }

        return norm;
    }

    public void Dispose()
    {
        foreach (var group in _groups)
        {
            group.Dispose();
        }

        _script.Dispose();
    }

    private sealed class State : IDisposable
    {
        private readonly string[] _names;

        public State(ParameterGroup group)
        {
            Group = group;
            WeightDecay = Scalars.Of(group.WeightDecay);
            _names = [.. group.Parameters.Select(parameter => parameter.Name)];
            Tensor[] values = [.. group.Parameters.Select(parameter => parameter.Value)];
            foreach (var value in values)
            {
                value.requires_grad = true;
            }

            Values = values;
            First = [.. values.Select(Zeros)];
            Second = [.. values.Select(Zeros)];
            Steps = [.. values.Select(value => zeros(1, ScalarType.Float32, value.device).DetachFromDisposeScope())];
        }

        public ParameterGroup Group { get; }

        public Scalar WeightDecay { get; }

        public Tensor[] Values { get; }

        public Tensor[] First { get; }

        public Tensor[] Second { get; }

        public Tensor[] Steps { get; }

        public Tensor[] Gradients() =>
            [.. Values.Select((value, i) => value.grad ?? throw new InvalidOperationException($"The parameter '{_names[i]}' got no gradient: it does not reach the loss."))];

        public IEnumerable<KeyValuePair<string, Tensor>> Named() =>
            _names.SelectMany((name, i) => new KeyValuePair<string, Tensor>[] { new($"{Prefix}{name}.first_moment", First[i]), new($"{Prefix}{name}.second_moment", Second[i]), new($"{Prefix}{name}.steps", Steps[i]) });

        public void Dispose()
        {
            foreach (var moment in (IEnumerable<Tensor>)[.. First, .. Second, .. Steps])
            {
                moment.Dispose();
            }
        }

        private static Tensor Zeros(Tensor value) => zeros_like(value, requires_grad: false).DetachFromDisposeScope();
    }
}
