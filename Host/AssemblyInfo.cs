using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Tapwire.Tests")]
