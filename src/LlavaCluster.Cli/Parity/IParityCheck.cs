namespace LlavaCluster.Cli.Parity;

/// <summary>One kind of comparison. Yields a row a subject; nothing where the folder lacks the reference file.</summary>
internal interface IParityCheck
{
    IEnumerable<ParityRow> Run(ParityContext context);
}
