using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Tapwire.Net")]
[assembly: InternalsVisibleTo("Tapwire.Tests")]
