// Converts an assembly that was compiled for .NET Framework to netstandard 2.0: every type that the
// assembly uses must be in netstandard.dll, and refers to it from then on.
//
//   netstandard.exe ASSEMBLY NETSTANDARD KEY OUT
//
// The assembly gets the strong name of KEY.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Mono.Cecil;

static class Retarget
{
    static int Main(string[] given)
    {
        var facade = AssemblyDefinition.ReadAssembly(given[1]);
        var available = new HashSet<string>(facade.MainModule.ExportedTypes.Select(type => type.FullName));
        var module = ModuleDefinition.ReadModule(given[0]);
        var used = module.GetTypeReferences().ToList();
        var missing = used.Where(type => !available.Contains(type.FullName)).ToList();
        if (missing.Count > 0)
        {
            Console.Error.WriteLine(facade.Name.FullName + " has no " + string.Join(", no ", missing));
            return 1;
        }
        var netstandard = AssemblyNameReference.Parse(facade.Name.FullName);
        module.AssemblyReferences.Clear();
        module.AssemblyReferences.Add(netstandard);
        foreach (var type in used.Where(type => type.DeclaringType == null)) type.Scope = netstandard;
        var key = File.ReadAllBytes(given[2]);
        module.Write(given[3], new WriterParameters { DeterministicMvid = true, Timestamp = 0, StrongNameKeyBlob = key });
        // Checks the written file.
        var referred = ModuleDefinition.ReadModule(given[3]).AssemblyReferences.Select(reference => reference.FullName).ToList();
        if (referred.Count == 1 && referred[0] == netstandard.FullName) return 0;
        Console.Error.WriteLine(given[3] + " refers to " + string.Join(" and ", referred));
        return 1;
    }
}
