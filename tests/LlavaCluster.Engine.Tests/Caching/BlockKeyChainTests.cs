using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Tests.Caching;

public sealed class BlockKeyChainTests
{
    private static readonly int[] Tokens = [1, 2, 3, 4, 5, 6, 7, 8];
    private static readonly CacheScope Scope = new("tenant", new byte[] { 1, 2 }, new byte[] { 3 });

    [Fact]
    public void First_SameContent_GivesSameKeys() => Assert.Equal(Keys(Scope, Tokens), Keys(Scope with { Owner = "another name" }, [.. Tokens]));

    [Fact]
    public void First_WhenOneTokenDiffers_ChangesItsBlockAndAllAfter()
    {
        var (a, b) = (Keys(Scope, Tokens), Keys(Scope, [1, 2, 3, 4, 9, 6, 7, 8]));
        Assert.Equal(a[0], b[0]);
        Assert.NotEqual(a[1], b[1]);
        Assert.NotEqual(Keys(Scope, [9, 2, 3, 4, 5, 6, 7, 8])[1], a[1]);
    }

    [Fact]
    public void First_SaltAndAdapter_AreFramed()
    {
        // ("1 2", "3") and ("1", "2 3") are the same bytes one after the other.
        var other = new CacheScope("tenant", new byte[] { 1 }, new byte[] { 2, 3 });
        Assert.Empty(Keys(Scope, Tokens).Intersect(Keys(other, Tokens)));
        Assert.Empty(Keys(Scope, Tokens).Intersect(Keys(Scope with { Salt = new byte[] { 9 } }, Tokens)));
        Assert.Empty(Keys(Scope, Tokens).Intersect(Keys(Scope with { Adapter = default }, Tokens)));
    }

    [Fact]
    public void First_WithImages_DependsOnWhichAndWhere()
    {
        var one = new ImageSpan(new CacheKey(1, 0, 0, 0), 1, 3);
        var plain = Keys(Scope, Tokens)[0];
        var keys = new[] { one, one with { Key = new CacheKey(2, 0, 0, 0) }, one with { Start = 0 }, one with { Tokens = 2 } }
            .Select(image => Keys(Scope, Tokens, image)[0]).Append(plain).ToList();
        Assert.Equal(keys.Count, keys.Distinct().Count());
    }

    [Fact]
    public void First_PublicTokens_LeaveTheSaltOutOfWholeBlocksOnly()
    {
        var a = Keys(Scope with { PublicTokens = 7 }, Tokens);
        var b = Keys(Scope with { PublicTokens = 7, Salt = new byte[] { 9 } }, Tokens);
        Assert.Equal(a[0], b[0]);
        Assert.NotEqual(a[1], b[1]);
    }

    private static CacheKey[] Keys(CacheScope scope, int[] tokens, params ImageSpan[] images) =>
        new BlockKeyChain(new KeyHasher(), scope, 4).First(2, tokens, images).ToArray();
}
