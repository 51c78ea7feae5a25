using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Tapwire.Tests")]
[assembly: InternalsVisibleTo("Tapwire.Bench.Scale")]
