// JSON as the library answers it: a reader and a writer, so that the binding needs no package.

using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace EngagePointShop
{
    /// <summary>
    /// A JSON value. What is absent is <see cref="Null"/>, so paths can be followed: <c>item["presentation"]["title"].Text</c>.
    /// </summary>
    public sealed class Json
    {
        /// <summary>JSON's null, and everything that is absent.</summary>
        public static readonly Json Null = new Json(null);

        static readonly IReadOnlyList<Json> NoItems = new Json[0];

        // null, bool, string, Number, List<Json> or Dictionary<string, Json>.
        readonly object value;

        Json(object value)
        {
            this.value = value;
        }

        /// <summary>The member of an object; of anything else, and where there is none, Null.</summary>
        public Json this[string key]
        {
            get
            {
                var members = value as Dictionary<string, Json>;
                return members != null && members.TryGetValue(key, out Json member) ? member : Null;
            }
        }

        /// <summary>The elements of an array; of anything else, none.</summary>
        public IReadOnlyList<Json> Items => value as List<Json> ?? NoItems;

        /// <summary>A text, else null.</summary>
        public string Text => value as string;

        /// <summary>A number that a decimal can hold, else null.</summary>
        public decimal? Number =>
            value is Digits digits
            && decimal.TryParse(digits.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number)
                ? number
                : (decimal?)null;

        /// <summary>A whole number, else null.</summary>
        public long? Integer =>
            Number is decimal number && number == decimal.Truncate(number) && number >= long.MinValue && number <= long.MaxValue
                ? (long)number
                : (long?)null;

        /// <summary>True or false, else null.</summary>
        public bool? Flag => value as bool?;

        /// <summary>Whether it is null or absent.</summary>
        public bool IsNull => value == null;

        /// <summary>As JSON.</summary>
        public override string ToString() => Write(this);

        /// <summary>Reads a JSON text, all of it.</summary>
        /// <exception cref="FormatException">It is not JSON.</exception>
        public static Json Parse(string text) => new Reader(text ?? throw new ArgumentNullException(nameof(text))).Whole();

        /// <summary>Writes texts, whole numbers, decimals, booleans, null, Json, and lists and dictionaries of them. What is null in
        /// a dictionary is left out.</summary>
        /// <exception cref="ArgumentException">It has something else in it.</exception>
        public static string Write(object value)
        {
            var text = new StringBuilder();
            Write(text, value);
            return text.ToString();
        }

        /// <summary>A number as it was written: nothing is lost by reading it.</summary>
        sealed class Digits
        {
            internal readonly string Text;

            internal Digits(string text)
            {
                Text = text;
            }
        }

        static void Write(StringBuilder text, object value)
        {
            var json = value as Json;
            var bare = json == null ? value : json.value;
            if (bare == null) text.Append("null");
            else if (bare is string characters) WriteText(text, characters);
            else if (bare is bool flag) text.Append(flag ? "true" : "false");
            else if (bare is Digits digits) text.Append(digits.Text);
            else if (bare is int || bare is long || bare is decimal)
            {
                text.Append(((IFormattable)bare).ToString(null, CultureInfo.InvariantCulture));
            }
            else if (bare is IDictionary members)
            {
                var before = '{';
                foreach (DictionaryEntry member in members)
                {
                    if (member.Value == null) continue;
                    text.Append(before);
                    WriteText(text, (string)member.Key);
                    text.Append(':');
                    Write(text, member.Value);
                    before = ',';
                }
                text.Append(before == '{' ? "{}" : "}");
            }
            else if (bare is IEnumerable items)
            {
                var before = '[';
                foreach (var item in items)
                {
                    text.Append(before);
                    Write(text, item);
                    before = ',';
                }
                text.Append(before == '[' ? "[]" : "]");
            }
            else
            {
                throw new ArgumentException("a " + bare.GetType().Name + " cannot be written as JSON: give a text, a whole number,"
                    + " a decimal, a boolean, or a list or dictionary of these");
            }
        }

        static void WriteText(StringBuilder text, string characters)
        {
            text.Append('"');
            foreach (var c in characters)
            {
                if (c == '"' || c == '\\') text.Append('\\').Append(c);
                else if (c < ' ') text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                else text.Append(c);
            }
            text.Append('"');
        }

        sealed class Reader
        {
            // The library's own answers are flat; this is for what it passes on.
            const int Deepest = 256;

            readonly string text;
            int at;

            internal Reader(string text)
            {
                this.text = text;
            }

            internal Json Whole()
            {
                var json = Value(0);
                if (Next() != '\0' || at < text.Length) throw Wrong("more than one value");
                return json;
            }

            // The next character that is no white space, not taken; NUL at the end.
            char Next()
            {
                while (at < text.Length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) at++;
                return at < text.Length ? text[at] : '\0';
            }

            bool Take(char wanted)
            {
                if (Next() != wanted) return false;
                at++;
                return true;
            }

            void Demand(char wanted)
            {
                if (!Take(wanted)) throw Wrong("no " + wanted);
            }

            Json Value(int depth)
            {
                if (depth > Deepest) throw Wrong("too deep");
                switch (Next())
                {
                    case '{': return Object(depth);
                    case '[': return Array(depth);
                    case '"': return new Json(Text());
                    case 't': return Word("true", new Json(true));
                    case 'f': return Word("false", new Json(false));
                    case 'n': return Word("null", Null);
                    default: return Number();
                }
            }

            Json Object(int depth)
            {
                var members = new Dictionary<string, Json>();
                Demand('{');
                if (Take('}')) return new Json(members);
                do
                {
                    if (Next() != '"') throw Wrong("no name");
                    var name = Text();
                    Demand(':');
                    members[name] = Value(depth + 1);
                }
                while (Take(','));
                Demand('}');
                return new Json(members);
            }

            Json Array(int depth)
            {
                var items = new List<Json>();
                Demand('[');
                if (Take(']')) return new Json(items);
                do items.Add(Value(depth + 1));
                while (Take(','));
                Demand(']');
                return new Json(items);
            }

            Json Word(string word, Json json)
            {
                if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) throw Wrong("no value");
                at += word.Length;
                return json;
            }

            Json Number()
            {
                var from = at;
                while (at < text.Length && "+-.0123456789Ee".IndexOf(text[at]) >= 0) at++;
                var digits = text.Substring(from, at - from);
                if (digits == "" || digits.Trim('-').IndexOfAny("0123456789".ToCharArray()) != 0) throw Wrong("no value");
                return new Json(new Digits(digits));
            }

            string Text()
            {
                var read = new StringBuilder();
                at++;
                while (at < text.Length && text[at] != '"')
                {
                    var c = text[at++];
                    read.Append(c == '\\' ? Escaped() : c);
                }
                if (at >= text.Length) throw Wrong("a text without an end");
                at++;
                return read.ToString();
            }

            char Escaped()
            {
                if (at >= text.Length) throw Wrong("a text without an end");
                var c = text[at++];
                switch (c)
                {
                    case '"':
                    case '\\':
                    case '/': return c;
                    case 'b': return '\b';
                    case 'f': return '\f';
                    case 'n': return '\n';
                    case 'r': return '\r';
                    case 't': return '\t';
                    case 'u':
                        if (at + 4 <= text.Length
                            && ushort.TryParse(text.Substring(at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit))
                        {
                            at += 4;
                            return (char)unit;
                        }
                        break;
                }
                throw Wrong("an unknown escape");
            }

            FormatException Wrong(string what) => new FormatException("not JSON: " + what + " at character " + at);
        }
    }
}
