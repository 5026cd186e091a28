// A reader and a writer for the library's JSON, so that the binding needs no package.

using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace EngagePointShop
{
    /// <summary>
    /// A JSON value. An absent value is <see cref="Null"/>, so that a path needs no checks:
    /// <c>item["presentation"]["title"].Text</c>.
    /// </summary>
    public sealed class Json
    {
        /// <summary>JSON's null, and every absent value.</summary>
        public static readonly Json Null = new Json(null);

        static readonly IReadOnlyList<Json> NoItems = new Json[0];

        // null, bool, string, Number, List<Json> or Dictionary<string, Json>.
        readonly object value;

        Json(object value)
        {
            this.value = value;
        }

        /// <summary>Returns the member of an object, or Null if there is none.</summary>
        public Json this[string key]
        {
            get
            {
                var members = value as Dictionary<string, Json>;
                return members != null && members.TryGetValue(key, out Json member) ? member : Null;
            }
        }

        /// <summary>The elements of an array; empty for any other value.</summary>
        public IReadOnlyList<Json> Items => value as List<Json> ?? NoItems;

        /// <summary>The text, or null if the value is not a text.</summary>
        public string Text => value as string;

        /// <summary>The number, or null if the value is not a number that a decimal can
        /// hold.</summary>
        public decimal? Number =>
            value is Digits digits
            && decimal.TryParse(digits.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number)
                ? number
                : (decimal?)null;

        /// <summary>The whole number, or null if the value is not a whole number.</summary>
        public long? Integer =>
            Number is decimal number && number == decimal.Truncate(number) && number >= long.MinValue && number <= long.MaxValue
                ? (long)number
                : (long?)null;

        /// <summary>The boolean, or null if the value is not a boolean.</summary>
        public bool? Flag => value as bool?;

        /// <summary>Whether the value is null or absent.</summary>
        public bool IsNull => value == null;

        /// <summary>Returns the value as JSON.</summary>
        public override string ToString() => Write(this);

        /// <summary>Reads a text that is one JSON value.</summary>
        /// <exception cref="FormatException">The text is not JSON.</exception>
        public static Json Parse(string text) => new Reader(text ?? throw new ArgumentNullException(nameof(text))).Whole();

        /// <summary>Writes texts, whole numbers, decimals, booleans, null, Json, and lists and
        /// dictionaries of these. An entry of a dictionary is left out if it is null.</summary>
        /// <exception cref="ArgumentException">The value has another type in it.</exception>
        public static string Write(object value)
        {
            var text = new StringBuilder();
            Write(text, value);
            return text.ToString();
        }

        /// <summary>A number as it was written, so that reading loses nothing.</summary>
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
                throw new ArgumentException("A value of type " + bare.GetType().Name + " cannot be written as JSON. Use a text, a whole"
                    + " number, a decimal, a boolean, or a list or dictionary of these.");
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
            // The library's own JSON is flat. This limit is for Engage's JSON, which is passed on.
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

            // Returns the next character that is not white space, without taking it; NUL at the
            // end.
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
