using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Tapwire.Lab")]
[assembly: InternalsVisibleTo("Tapwire.Net")]
[assembly: InternalsVisibleTo("Tapwire.Tests")]
