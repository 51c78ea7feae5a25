using Tapwire.Host;

return await TapwireCommandLine.RunAsync(args);
