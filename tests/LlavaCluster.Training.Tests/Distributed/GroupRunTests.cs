using System.Net;
using LlavaCluster.Training.Data.Conversations;
using LlavaCluster.Training.Distributed;
using LlavaCluster.Training.Tests.Tuning;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Tests.Distributed;

public sealed class GroupRunTests : IDisposable
{
    private static readonly TuningRecipe Recipe = new()
    {
        Method = TuningMethod.Lora, Lora = new LoraRecipe { Rank = 4, Alpha = 8, Dropout = 0.1 },
        Epochs = 4, GlobalBatch = 5, MicroBatch = 2, LearningRate = 2e-3, ClipNorm = 1, Template = "bare",
    };

    private static readonly byte[] Secret = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    private readonly TuningData _files = new();
    private readonly ConversationDataset _data;
    private long _generation;

    public GroupRunTests() => _data = _files.Open(Recipe, TuningData.Records(14));

    public void Dispose()
    {
        _data.Dispose();
        _files.Dispose();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Steps_OfSeveralMembers_AreThoseOfOne(int size)
    {
        var alone = Train([new Member(this)])[0];
        var members = Train([.. Enumerable.Range(0, size).Select(_ => new Member(this))]);

        Assert.All(members, member => Assert.Equal(alone.Losses.Count, member.Losses.Count));
        for (var step = 0; step < alone.Losses.Count; step++)
        {
            Assert.Equal(1, members[0].Losses[step] / alone.Losses[step], 1e-4);
        }

        Assert.All(members, member => Assert.True(member.Run.Parameters.SequenceEqual(members[0].Run.Parameters)));
        Free([alone, .. members]);
    }

    [Fact]
    public void Group_ThatBreaksAndFormsAnewWithAStranger_EndsBitForBitAsTheUndisturbedOne()
    {
        var undisturbed = Train([new Member(this), new Member(this)]);
        Member[] members = [new(this), new(this)];
        Assert.All(Train(members, breakAt: (1, 5)), member => Assert.InRange(member.Run.Step, 4, 5)); // the last sum may have reached one of them only

        members[1].Run.Dispose();
        members = Train([members[0], new Member(this)]);

        Assert.All(members, member => Assert.True(member.Run.Parameters.SequenceEqual(undisturbed[0].Run.Parameters)));
        Free([.. undisturbed, .. members]);
    }

    [Fact]
    public void Group_OfStrangers_GoesOnFromTheStoredStateThatIsWhole()
    {
        var undisturbed = Train([new Member(this), new Member(this)]);
        var first = Train([new Member(this), new Member(this)], partAt: 6);
        using var stored = new MemoryStream();
        first[0].State.Save(stored);

        var members = Train([new Member(this), new Member(this)], stored: (6, stored));

        Assert.Equal(6, first[1].Run.Step);
        Assert.All(members, member => Assert.True(member.Run.Parameters.SequenceEqual(undisturbed[0].Run.Parameters)));
        Free([.. undisturbed, .. first, .. members]);
    }

    [Fact]
    public void Member_WithoutSamples_StillAgrees()
    {
        // The last batch of an epoch has four samples: less than members.
        var members = Train([.. Enumerable.Range(0, 5).Select(_ => new Member(this))]);

        Assert.All(members, member => Assert.Equal(member.Run.TotalSteps, member.Run.Step));
        Assert.All(members, member => Assert.True(member.Run.Parameters.SequenceEqual(members[0].Run.Parameters)));
        Free(members);
    }

    [Fact]
    public void Divergence_OfOneMember_StopsAllAtTheSameStep()
    {
        Member[] members = [new(this), new(this)];
        members[1].Run.Parameters[0] = float.NaN;

        Train(members);

        Assert.All(members, member => Assert.Equal((0L, 0L), (member.Run.Step, member.Divergence!.Step)));
        Assert.NotNull(members[1].Divergence!.Record);
        Assert.Equal(members[1].Divergence!.Record, members[0].Divergence!.Record);
        Free(members);
    }

    [Fact]
    public void Group_OfOtherRecipesOrData_IsRefusedByAll()
    {
        using var other = _files.Open(Recipe, TuningData.Records(15));

        Refuse([new Member(this), new Member(this, recipe: Recipe with { Seed = 1 })], "must have the same recipe; that of rank 1");
        Refuse([new Member(this), new Member(this), new Member(this, data: other)], "must have the same data; that of rank 2");

        void Refuse(Member[] members, string message)
        {
            Train(members, faults: true);
            Assert.All(members, member => Assert.Contains(message, Assert.IsType<InvalidDataException>(member.Fault).Message, StringComparison.Ordinal));
            Free(members);
        }
    }

    [Fact]
    public void StepsOfTheirOwn_SendAFewOfTheBytesAndEndInOneState()
    {
        var synchronous = Train([new Member(this), new Member(this)]);
        var members = Train([new Member(this, localSteps: 5), new Member(this, localSteps: 5)]);

        Assert.True(members[0].Run.Parameters.SequenceEqual(members[1].Run.Parameters));
        Assert.InRange(synchronous[0].BytesSent / (double)members[0].BytesSent, 2.9, 4.1); // 12 steps, agreed on after 5, 10 and 12
        Free([.. synchronous, .. members]);
    }

    [Fact]
    public void StepsOfTheirOwn_ThatABreakInterrupts_AreTakenAgain()
    {
        Member[] members = [new(this, localSteps: 5), new(this, localSteps: 5)];
        Assert.All(Train(members, breakAt: (0, 7)), member => Assert.Equal(5, member.State.Step));

        members[0].Run.Dispose();
        members = Train([new Member(this, localSteps: 5), members[1]]);

        Assert.All(members, member => Assert.Equal(member.Run.TotalSteps, member.State.Step));
        Assert.True(members[0].Run.Parameters.SequenceEqual(members[1].Run.Parameters));
        Free(members);
    }

    private static void Free(IEnumerable<Member> members)
    {
        foreach (var member in members)
        {
            member.State.Dispose();
            member.Run.Dispose();
        }
    }

    /// <summary>Each member on a thread of its own, as in processes of their own, to the end or to what stops them.</summary>
    private Member[] Train(Member[] members, (int Rank, long Step)? breakAt = null, long? partAt = null, (long Step, MemoryStream State)? stored = null, bool faults = false)
    {
        var generation = ++_generation;
        var listeners = members.Select(_ => RingListener.Start(new IPEndPoint(IPAddress.Loopback, 0), new RingOptions())).ToArray();
        var threads = members.Select((member, rank) => new Thread(() => member.Train(listeners[rank], new RingMembership
        {
            Group = "job", Generation = generation, Rank = rank, Secret = Secret, Members = [.. listeners.Select(listener => listener.EndPoint)],
        }, breakAt?.Rank == rank ? breakAt.Value.Step : null, partAt, stored))).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        foreach (var listener in listeners)
        {
            listener.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }

        Assert.All(members, member => Assert.True(faults || member.Fault is null, $"{member.Fault}"));
        return members;
    }

    private sealed class Member
    {
        public Member(GroupRunTests tests, int localSteps = 1, TuningRecipe? recipe = null, ConversationDataset? data = null)
        {
            Run = new TuningRun(TuningData.Model, recipe ?? Recipe, data ?? tests._data);
            State = new MemberState(Run, localSteps);
        }

        public TuningRun Run { get; }

        public MemberState State { get; }

        public List<double> Losses { get; } = [];

        public Divergence? Divergence { get; private set; }

        public long BytesSent { get; private set; }

        public Exception? Fault { get; private set; }

        public void Train(RingListener listener, RingMembership membership, long? breakAt, long? partAt, (long Step, MemoryStream State)? stored)
        {
            try
            {
                using var ring = RingGroup.JoinAsync(listener, membership, TimeSpan.FromSeconds(30), CancellationToken.None).GetAwaiter().GetResult();
                Train(ring, breakAt, partAt, stored);
                BytesSent = ring.BytesSent;
            }
            catch (RingBrokenException)
            {
                // As the test wants it; another group goes on.
            }
            catch (Exception fault)
            {
                Fault = fault;
            }
        }

        private void Train(RingGroup ring, long? breakAt, long? partAt, (long Step, MemoryStream State)? stored)
        {
            var together = new GroupRun(State, ring);
            together.Align(stored?.Step ?? 0, least =>
            {
                Assert.True(least < stored!.Value.Step);
                State.Restore(new MemoryStream(stored.Value.State.ToArray()));
            });
            while (Run.Step < Run.TotalSteps)
            {
                if (Run.Step == breakAt)
                {
                    ring.Abort("as a killed process does");
                }

                var step = together.Step(partAt is not null && Run.Step + 1 >= partAt);
                if (step.Divergence is not null || step.Parts)
                {
                    Divergence = step.Divergence;
                    return;
                }

                Losses.Add(step.Loss);
            }
        }
    }
}
