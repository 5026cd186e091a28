// The native library: finds it for this process's processor, checks its version, and finds its
// functions by name. No other file has pointers.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

namespace EngagePointShop
{
    /// <summary>The functions of engage_point_shop.h. Texts are UTF-8 with a NUL at the end, never
    /// in the system's code page.</summary>
    internal sealed class Native
    {
        [StructLayout(LayoutKind.Sequential)]
        internal struct Buffer
        {
            internal IntPtr Data;
            internal UIntPtr Length;
            internal UIntPtr Reserved;
        }

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int Open(uint abi, byte[] config, out IntPtr client, out Buffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int Plain(IntPtr client);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int Ask(IntPtr client, out Buffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int Ask1(IntPtr client, byte[] text, out Buffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int Ask2(IntPtr client, byte[] text, byte[] second, out Buffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int Ask3(IntPtr client, byte[] text, byte[] second, byte[] third, out Buffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void LogLine(IntPtr user, int level, IntPtr line, UIntPtr length);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int SetLog(IntPtr client, int level, LogLine function, IntPtr user);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void Change(IntPtr user, IntPtr json, UIntPtr length);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int SetNotify(IntPtr client, Change function, IntPtr user);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int CancelCall(IntPtr client, byte[] callId);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int NewId(out Buffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void Dispose(ref Buffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int OutcomeOf(int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr TextOfCode(int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int Get(ref Buffer from, byte[] pointer, out Buffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int Quote(byte[] text, out Buffer buffer);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr Version();
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint AbiVersion();

        internal readonly Open eps_client_open;
        internal readonly Plain eps_client_close;
        internal readonly Plain eps_cancel;
        internal readonly CancelCall eps_cancel_call;
        internal readonly Ask3 eps_find_contact;
        internal readonly Ask2 eps_list_points;
        internal readonly Ask2 eps_list_items;
        internal readonly Ask3 eps_purchase;
        internal readonly Ask2 eps_list_purchases;
        internal readonly Ask2 eps_list_rewards;
        internal readonly Ask2 eps_find_reward;
        internal readonly Ask3 eps_redeem_reward;
        internal readonly Ask1 eps_list_unacknowledged;
        internal readonly Ask1 eps_list_operations;
        internal readonly Ask1 eps_get_operation;
        internal readonly Ask1 eps_resolve_pending;
        internal readonly Ask1 eps_acknowledge;
        internal readonly Ask3 eps_resolve_review;
        internal readonly Ask2 eps_acknowledge_reference;
        internal readonly Ask2 eps_backup_journal;
        internal readonly Ask1 eps_check;
        internal readonly Ask eps_read_metrics;
        internal readonly Ask eps_read_stats;
        internal readonly SetLog eps_set_log;
        internal readonly SetNotify eps_set_notify;
        internal readonly NewId eps_new_id;
        internal readonly Dispose eps_buffer_dispose;
        internal readonly OutcomeOf eps_outcome;
        internal readonly TextOfCode eps_code_name;
        internal readonly TextOfCode eps_code_action;
        internal readonly TextOfCode eps_code_meaning;
        internal readonly Get eps_json_get;
        internal readonly Quote eps_json_quote;
        internal readonly Version eps_version;
        internal readonly AbiVersion eps_abi_version;

        // After a failure to load the library, the next call tries again.
        static readonly Lazy<Native> Loaded = new Lazy<Native>(Load, LazyThreadSafetyMode.PublicationOnly);

        internal static Native Library => Loaded.Value;

        readonly IntPtr module;
        readonly string path;

        Native(IntPtr module, string path)
        {
            this.module = module;
            this.path = path;
            // The version first, because another version may lack the functions below.
            Find(out eps_abi_version, nameof(eps_abi_version));
            var abi = eps_abi_version();
            if (abi != Abi.Version)
            {
                throw new LibraryException(path + " has ABI version " + Number(abi) + ". This assembly needs " + Number(Abi.Version)
                    + ". Install the library and the assembly of one release.");
            }
            Find(out eps_client_open, nameof(eps_client_open));
            Find(out eps_client_close, nameof(eps_client_close));
            Find(out eps_cancel, nameof(eps_cancel));
            Find(out eps_cancel_call, nameof(eps_cancel_call));
            Find(out eps_find_contact, nameof(eps_find_contact));
            Find(out eps_list_points, nameof(eps_list_points));
            Find(out eps_list_items, nameof(eps_list_items));
            Find(out eps_purchase, nameof(eps_purchase));
            Find(out eps_list_purchases, nameof(eps_list_purchases));
            Find(out eps_list_rewards, nameof(eps_list_rewards));
            Find(out eps_find_reward, nameof(eps_find_reward));
            Find(out eps_redeem_reward, nameof(eps_redeem_reward));
            Find(out eps_list_unacknowledged, nameof(eps_list_unacknowledged));
            Find(out eps_list_operations, nameof(eps_list_operations));
            Find(out eps_get_operation, nameof(eps_get_operation));
            Find(out eps_resolve_pending, nameof(eps_resolve_pending));
            Find(out eps_acknowledge, nameof(eps_acknowledge));
            Find(out eps_resolve_review, nameof(eps_resolve_review));
            Find(out eps_acknowledge_reference, nameof(eps_acknowledge_reference));
            Find(out eps_backup_journal, nameof(eps_backup_journal));
            Find(out eps_check, nameof(eps_check));
            Find(out eps_read_metrics, nameof(eps_read_metrics));
            Find(out eps_read_stats, nameof(eps_read_stats));
            Find(out eps_set_log, nameof(eps_set_log));
            Find(out eps_set_notify, nameof(eps_set_notify));
            Find(out eps_new_id, nameof(eps_new_id));
            Find(out eps_buffer_dispose, nameof(eps_buffer_dispose));
            Find(out eps_outcome, nameof(eps_outcome));
            Find(out eps_code_name, nameof(eps_code_name));
            Find(out eps_code_action, nameof(eps_code_action));
            Find(out eps_code_meaning, nameof(eps_code_meaning));
            Find(out eps_json_get, nameof(eps_json_get));
            Find(out eps_json_quote, nameof(eps_json_quote));
            Find(out eps_version, nameof(eps_version));
        }

        void Find<T>(out T function, string name)
        {
            var address = Windows ? GetProcAddress(module, Bytes(name)) : dlsym(module, Bytes(name));
            if (address == IntPtr.Zero)
            {
                throw new LibraryException(path + " has no function " + name
                    + ". It is not engage_point_shop, or is older than this assembly. Install the library and the assembly of one release.");
            }
            function = Marshal.GetDelegateForFunctionPointer<T>(address);
        }

        /// <summary>Returns a text for the library; null for null.</summary>
        internal static byte[] Bytes(string text, string argument = null)
        {
            if (text == null) return null;
            if (text.IndexOf('\0') >= 0) throw new ArgumentException("The text has a NUL character inside. Remove the character.", argument);
            // Strict, so that half a surrogate pair is an error and not a question mark.
            var utf8 = new UTF8Encoding(false, true);
            var bytes = new byte[utf8.GetByteCount(text) + 1];
            utf8.GetBytes(text, 0, text.Length, bytes, 0);
            return bytes;
        }

        /// <summary>Writes a number as every culture reads it.</summary>
        internal static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

        internal static string TextOf(IntPtr data, int length)
        {
            if (data == IntPtr.Zero) return "";
            var bytes = new byte[length];
            Marshal.Copy(data, bytes, 0, length);
            return Encoding.UTF8.GetString(bytes);
        }

        internal static string TextOf(IntPtr data)
        {
            if (data == IntPtr.Zero) return "";
            var length = 0;
            while (Marshal.ReadByte(data, length) != 0) length++;
            return TextOf(data, length);
        }

        // --- Finding the library -----------------------------------------------------------------

        static readonly bool Windows = Path.DirectorySeparatorChar == '\\';

        static Native Load()
        {
            var processor = Processor();
            var file = Windows ? "engage_point_shop.dll" : "libengage_point_shop.so";
            var tried = new List<string>();
            foreach (var place in Places(processor, file))
            {
                var module = OpenModule(place, out string error);
                if (module != IntPtr.Zero) return new Native(module, place);
                tried.Add(place + ": " + error);
            }
            throw new LibraryException("The native library of engage_point_shop is missing or not for this process, which is "
                + Number(8 * IntPtr.Size) + "-bit (" + processor + "). Put " + file + " for this processor beside the program or into "
                + Path.Combine("runtimes", Rid(processor), "native") + ". Tried " + string.Join("; ", tried));
        }

        // Returns the process's processor by its .NET name. RuntimeInformation has it only from
        // .NET Framework 4.7.1 on.
        static string Processor()
        {
            var code = new byte[64];
            if (Windows)
            {
                GetSystemInfo(code); // SYSTEM_INFO begins with it.
            }
            else
            {
                using (var program = File.OpenRead("/proc/self/exe"))
                {
                    program.Position = 18; // e_machine in an ELF file.
                    program.Read(code, 0, 1);
                }
            }
            switch (code[0])
            {
                case 0: case 3: return "x86";
                case 9: case 62: return "x64";
                case 12: case 183: return "arm64";
                default: return "processor" + Number(code[0]);
            }
        }

        static string Rid(string processor) => (Windows ? "win-" : "linux-") + processor;

        // Beside the assembly: NuGet's folders, a folder per processor, and the file alone. Then
        // the system's own folder.
        static IEnumerable<string> Places(string processor, string file)
        {
            var folders = new List<string> { Path.GetDirectoryName(typeof(Native).Assembly.Location), AppContext.BaseDirectory };
            foreach (var folder in folders)
            {
                if (string.IsNullOrEmpty(folder)) continue;
                foreach (var below in new[] { Path.Combine("runtimes", Rid(processor), "native"), processor, "" })
                {
                    var place = Path.Combine(folder, below, file);
                    if (File.Exists(place)) yield return place;
                }
            }
            // Never from the current folder: anybody may have put a library of this name there.
            if (Windows) yield return Path.Combine(Environment.SystemDirectory, file);
            else yield return file + ".1";
        }

        static IntPtr OpenModule(string place, out string error)
        {
            if (Windows)
            {
                const uint WithItsFolder = 8; // LOAD_WITH_ALTERED_SEARCH_PATH; for full paths only.
                const int BadExeFormat = 193;
                var loaded = LoadLibraryEx(place, IntPtr.Zero, Path.IsPathRooted(place) ? WithItsFolder : 0);
                var number = Marshal.GetLastWin32Error();
                error = number == BadExeFormat ? "is for another processor" : new System.ComponentModel.Win32Exception(number).Message;
                return loaded;
            }
            const int Now = 2; // RTLD_NOW
            // .NET finds dlerror by dlopen at its first call, which would clear the error.
            dlerror();
            var module = dlopen(Bytes(place), Now);
            error = module == IntPtr.Zero ? TextOf(dlerror()) : "";
            return module;
        }

        [DllImport("kernel32", CharSet = CharSet.Unicode, ExactSpelling = true, EntryPoint = "LoadLibraryExW", SetLastError = true)]
        static extern IntPtr LoadLibraryEx(string path, IntPtr reserved, uint flags);

        [DllImport("kernel32", ExactSpelling = true)]
        static extern IntPtr GetProcAddress(IntPtr module, byte[] name);

        [DllImport("kernel32", ExactSpelling = true)]
        static extern void GetSystemInfo([Out] byte[] info);

        [DllImport("libdl.so.2")]
        static extern IntPtr dlopen(byte[] path, int flags);

        [DllImport("libdl.so.2")]
        static extern IntPtr dlsym(IntPtr module, byte[] name);

        [DllImport("libdl.so.2")]
        static extern IntPtr dlerror();
    }
}
