using Xunit.Sdk;
using Xunit.v3;

// Each test starts several processes: one test at a time is fast, two at a time starve each other.
[assembly: Parallelization(Mode = ParallelMode.None)]
