//! The functions of the C header as data, from which the raw declarations of bindings are made.

/// A function that the header declares.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    /// The type of the result, `const char *`.
    pub returns: String,
    /// The type and the name of each argument.
    pub arguments: Vec<(String, String)>,
}

impl Function {
    /// Returns the declaration in C, without macros and on one line.
    pub fn prototype(&self) -> String {
        let arguments: Vec<String> = self.arguments.iter().map(|(of, name)| spaced(of, name)).collect();
        let arguments = if arguments.is_empty() { "void".to_owned() } else { arguments.join(", ") };
        format!("{}({arguments})", spaced(&self.returns, &self.name))
    }
}

fn spaced(of: &str, name: &str) -> String {
    if of.ends_with('*') { format!("{of}{name}") } else { format!("{of} {name}") }
}

/// Returns every function of a header, in its order.
pub fn functions(header: &str) -> Vec<Function> {
    let code = without_comments(header);
    let declarations = code.split("\nEPS_API").skip(1).filter_map(|text| text.split(';').next());
    declarations.filter_map(function).collect()
}

/// Macros before a function's type and its name, which are not part of its prototype.
const MARKS: [&str; 2] = ["EPS_CALL", "EPS_MUST_CHECK"];

fn function(declaration: &str) -> Option<Function> {
    let text = declaration.split_whitespace().filter(|word| !MARKS.contains(word)).collect::<Vec<_>>().join(" ");
    let text = text.replace("*EPS_CALL ", "*");
    let (head, arguments) = text.split_once('(')?;
    let (returns, name) = typed(head);
    let arguments = arguments.trim_end_matches(')').split(", ").filter(|argument| !["", "void"].contains(argument));
    Some(Function { name, returns, arguments: arguments.map(typed).collect() })
}

/// Splits `const char *text` into its type and its name.
fn typed(text: &str) -> (String, String) {
    let name = text.rsplit([' ', '*']).next().unwrap_or_default();
    (text[..text.len() - name.len()].trim_end().to_owned(), name.to_owned())
}

fn without_comments(header: &str) -> String {
    let mut parts = header.split("/*");
    let before = parts.next().unwrap_or_default().to_owned();
    parts.fold(before, |code, part| code + part.split_once("*/").map_or("", |(_, behind)| behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_declarations_of_every_form_are_read() {
        let header = "#define EPS_API\n/* EPS_API int eps_no(void); */\nEPS_API EPS_MUST_CHECK int32_t EPS_CALL eps_a(eps_client **client,\n  \
                      const char *text, int32_t level);\n\nEPS_API const char *EPS_CALL eps_b(void);\nEPS_API\nvoid EPS_CALL eps_c(eps_buffer *out);\n";
        let prototypes: Vec<String> = functions(header).iter().map(Function::prototype).collect();
        assert_eq!(
            prototypes,
            [
                "int32_t eps_a(eps_client **client, const char *text, int32_t level)",
                "const char *eps_b(void)",
                "void eps_c(eps_buffer *out)",
            ]
        );
    }
}
