// A simulated Voyado Engage for the tests of a POS: starts the program engage-sandbox, which is in
// this package, and ends it at Dispose. .NET Framework 4.6.1 and newer, Mono, and .NET.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Net;
using System.Text;

namespace EngagePointShop.Testing
{
    /// <summary>The sandbox did not start, or rejected a command.</summary>
    public sealed class SandboxException : Exception
    {
        /// <summary>Makes an exception with the sandbox's own message.</summary>
        public SandboxException(string message) : base(message) { }
    }

    /// <summary>A running sandbox on this computer, with members, items and a ledger of its own. It
    /// ends at Dispose, and with this process.</summary>
    /// <example><code>
    /// using (var engage = new EngageSandbox())
    /// {
    ///     engage.Arm("purchase", "response-lost");
    ///     using (var shop = Client.Open(engage.Configuration("points.db"))) { … }
    /// }
    /// </code></example>
    public sealed class EngageSandbox : IDisposable
    {
        static readonly bool Windows = Path.DirectorySeparatorChar == '\\';

        readonly Process process;
        readonly string folder;
        readonly string program;

        /// <summary>Starts a sandbox on free ports.</summary>
        /// <param name="program">The path of engage-sandbox; by default the one of this package,
        /// beside this assembly.</param>
        /// <exception cref="SandboxException">The program is missing or did not start.</exception>
        public EngageSandbox(string program = null)
        {
            this.program = program ?? Find();
            if (!File.Exists(this.program)) throw new SandboxException("The program " + this.program + " is missing.");
            folder = Path.Combine(Path.GetTempPath(), "engage-sandbox-" + Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(folder);
            CaFile = Path.Combine(folder, "ca.pem");
            // The end of this process closes the sandbox's standard input, and ends it.
            process = Start("--http", "0", "--https", "0", "--until-stdin-closes", "--ca-out", CaFile);
            var line = process.StandardOutput.ReadLine();
            if (line == null)
            {
                var error = process.StandardError.ReadToEnd().Trim();
                Dispose();
                throw new SandboxException(error.Length > 0 ? error : "The sandbox ended before it was ready.");
            }
            // engage-sandbox ready http=… https=… ca=… key=…
            HttpUrl = Value(line, " http=");
            Url = Value(line, " https=");
            Key = Value(line, " key=");
        }

        /// <summary>Engage's address for the POS, with TLS.</summary>
        public string Url { get; }

        /// <summary>The same without TLS; in a browser it is the dashboard.</summary>
        public string HttpUrl { get; }

        /// <summary>The file with the root certificate of Url.</summary>
        public string CaFile { get; }

        /// <summary>The API key.</summary>
        public string Key { get; }

        /// <summary>Returns the configuration of a till, for Client.Open.</summary>
        /// <param name="journal">The journal's file.</param>
        public Dictionary<string, object> Configuration(string journal) => new Dictionary<string, object>
        {
            ["baseUrl"] = Url, ["apiKey"] = Key, ["caFile"] = CaFile,
            ["userAgent"] = "MyTill/1.0", ["journalPath"] = Path.GetFullPath(journal),
        };

        /// <summary>Arms a fault: Arm("purchase", "response-lost"). "engage-sandbox arm --help" lists
        /// the effects; an effect may also be the sandbox's JSON.</summary>
        /// <param name="operation">The requests: items, purchase, purchases, rewards, redeem,
        /// contacts, points or any.</param>
        /// <param name="effect">The name of the effect.</param>
        /// <param name="times">The number of requests that the fault applies to; 0: all.</param>
        public void Arm(string operation, string effect, int times = 1) =>
            Run("arm", "--times", times.ToString(CultureInfo.InvariantCulture), operation, effect);

        /// <summary>Disarms all faults and chaos.</summary>
        public void Clear() => Run("clear");

        /// <summary>Restores the members, the items and the default settings.</summary>
        public void Reset() => Run("reset");

        /// <summary>Returns the ledger as JSON: an array with each change of points.</summary>
        public string Ledger() => Get("/_sandbox/ledger");

        /// <summary>Returns the JSON of one of the sandbox's own routes, such as
        /// "/_sandbox/state".</summary>
        public string Get(string path)
        {
            // Without the system's proxy: the sandbox is on this computer.
            using (var client = new WebClient { Proxy = null, Encoding = Encoding.UTF8 }) return client.DownloadString(HttpUrl + path);
        }

        /// <summary>Runs a command of engage-sandbox on this sandbox, and returns its output.</summary>
        /// <exception cref="SandboxException">The command was rejected; the message says
        /// why.</exception>
        public string Run(string command, params string[] arguments)
        {
            var all = new List<string> { command, "--at", HttpUrl };
            all.AddRange(arguments);
            using (var run = Start(all.ToArray()))
            {
                run.StandardInput.Close();
                var error = run.StandardError.ReadToEndAsync();
                var output = run.StandardOutput.ReadToEnd();
                run.WaitForExit();
                if (run.ExitCode != 0) throw new SandboxException(error.Result.Trim());
                return output;
            }
        }

        /// <summary>Ends the sandbox and deletes its files. A second call does nothing.</summary>
        public void Dispose()
        {
            if (!Directory.Exists(folder)) return;
            process.StandardInput.Close();
            if (!process.WaitForExit(10000)) process.Kill();
            process.Dispose();
            Directory.Delete(folder, true);
        }

        static string Find()
        {
            var file = Windows ? "engage-sandbox.exe" : "engage-sandbox";
            var tried = new List<string>();
            foreach (var folder in new[] { Path.GetDirectoryName(typeof(EngageSandbox).Assembly.Location), AppContext.BaseDirectory })
            {
                if (string.IsNullOrEmpty(folder)) continue;
                // A 64-bit Windows runs the program of 32 bits too.
                var rids = Windows ? new[] { "win-x64", "win-x86" } : new[] { IsArm() ? "linux-arm64" : "linux-x64" };
                foreach (var rid in rids)
                {
                    if (rid == "win-x64" && !Environment.Is64BitOperatingSystem) continue;
                    tried.Add(Path.Combine(folder, "runtimes", rid, "native", file));
                }
                tried.Add(Path.Combine(folder, file));
            }
            foreach (var place in tried)
            {
                if (File.Exists(place)) return place;
            }
            throw new SandboxException("The program engage-sandbox is missing. Tried " + string.Join("; ", tried));
        }

        static bool IsArm()
        {
            using (var self = File.OpenRead("/proc/self/exe"))
            {
                self.Position = 18; // e_machine in an ELF file.
                return self.ReadByte() == 183;
            }
        }

        Process Start(params string[] arguments)
        {
            // NuGet unpacks a program without the permission to run it.
            if (!Windows) using (var chmod = Process.Start("chmod", "u+x " + Quoted(program))) chmod.WaitForExit();
            var start = new ProcessStartInfo(program, string.Join(" ", Array.ConvertAll(arguments, Quoted)))
            {
                UseShellExecute = false, CreateNoWindow = true,
                RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
                StandardOutputEncoding = Encoding.UTF8, StandardErrorEncoding = Encoding.UTF8,
            };
            try
            {
                return Process.Start(start);
            }
            catch (System.ComponentModel.Win32Exception problem)
            {
                throw new SandboxException(program + " cannot be started: " + problem.Message);
            }
        }

        // Windows' own rules for a command line, which .NET also has on Linux.
        static string Quoted(string argument)
        {
            var text = new StringBuilder("\"");
            var backslashes = 0;
            foreach (var c in argument)
            {
                if (c == '"') text.Append('\\', backslashes + 1);
                backslashes = c == '\\' ? backslashes + 1 : 0;
                text.Append(c);
            }
            return text.Append('\\', backslashes).Append('"').ToString();
        }

        static string Value(string line, string name)
        {
            var from = line.IndexOf(name, StringComparison.Ordinal) + name.Length;
            var to = line.IndexOf(' ', from);
            return to < 0 ? line.Substring(from) : line.Substring(from, to - from);
        }
    }
}
