using System.Reflection;
using System.Reflection.Emit;

namespace LlavaCluster.Conventions.Tests;

/// <summary>Who calls whom in an assembly, read from its instructions; nothing of it runs.</summary>
internal static class CallGraph
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
    private const byte TwoBytes = 0xFE;

    private static readonly Dictionary<int, OperandType> Operands = typeof(OpCodes).GetFields()
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => (int)(ushort)code.Value, code => code.OperandType);

    /// <summary>Every method and constructor of an assembly with those it calls.</summary>
    public static Dictionary<MethodBase, MethodBase[]> Of(Assembly assembly) => assembly.GetTypes()
        .SelectMany(type => type.GetMembers(Declared).OfType<MethodBase>())
        .ToDictionary(method => method, Calls);

    private static MethodBase[] Calls(MethodBase method)
    {
        var code = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        var calls = new HashSet<MethodBase>();
        for (var at = 0; at < code.Length;)
        {
            var opcode = code[at] == TwoBytes ? (TwoBytes << 8) | code[++at] : code[at];
            at++;
            if (Operands[opcode] == OperandType.InlineMethod)
            {
                calls.Add(Resolve(method, BitConverter.ToInt32(code, at)));
            }

            at += Length(Operands[opcode], code, at);
        }

        return [.. calls];
    }

    private static MethodBase Resolve(MethodBase caller, int token)
    {
        var called = caller.Module.ResolveMethod(token, caller.DeclaringType?.GetGenericArguments(), caller.IsGenericMethodDefinition ? caller.GetGenericArguments() : null)!;
        return called is MethodInfo { IsGenericMethod: true } generic ? generic.GetGenericMethodDefinition() : called;
    }

    private static int Length(OperandType operand, byte[] code, int at) => operand switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(code, at)),
        _ => 4,
    };
}
