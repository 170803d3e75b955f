//! Scripts as commands and words: enough of the shell's grammar to read what a step sends.

/// The commands of a script, each as its words without quotes. Here-documents and
/// substitutions inside double quotes are kept as they are.
pub(super) fn commands(script: &str) -> Vec<Vec<String>> {
    let mut lexer = Lexer::default();
    let mut letters = script.chars().peekable();
    while let Some(letter) = letters.next() {
        match (lexer.quote, letter) {
            (Some(quote), _) if letter == quote => lexer.quote = None,
            (Some('"'), '\\') => match letters.next() {
                Some('\n') => {}
                // Only these lose the backslash between double quotes.
                Some(next @ ('"' | '\\' | '$' | '`')) => lexer.push(next),
                next => {
                    lexer.push('\\');
                    next.into_iter().for_each(|next| lexer.push(next));
                }
            },
            (Some(_), _) => lexer.push(letter),
            (None, '"' | '\'') => {
                lexer.quote = Some(letter);
                lexer.in_word = true;
            }
            (None, '\\') => match letters.next() {
                Some('\n') | None => {}
                Some('\r') => drop(letters.next_if_eq(&'\n')),
                Some(next) => lexer.push(next),
            },
            // An expression of the platform is one word, whatever it holds.
            (None, '$') if letters.next_if_eq(&'{').is_some() => {
                lexer.push('$');
                lexer.push('{');
                while let Some(inner) = letters.next_if(|inner| *inner != '\n') {
                    lexer.push(inner);
                    if inner == '}' && letters.peek() != Some(&'}') {
                        break;
                    }
                }
            }
            (None, '#') if !lexer.in_word => while letters.next_if(|next| *next != '\n').is_some() {},
            (None, '\n' | ';' | '&' | '|' | '(' | ')' | '`') => lexer.end_command(),
            (None, _) if letter.is_whitespace() => lexer.end_word(),
            (None, _) => lexer.push(letter),
        }
    }
    lexer.end_command();
    lexer.commands
}

#[derive(Default)]
struct Lexer {
    commands: Vec<Vec<String>>,
    command: Vec<String>,
    word: String,
    in_word: bool,
    quote: Option<char>,
}

impl Lexer {
    fn push(&mut self, letter: char) {
        self.word.push(letter);
        self.in_word = true;
    }

    fn end_word(&mut self) {
        if std::mem::take(&mut self.in_word) {
            self.command.push(std::mem::take(&mut self.word));
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.command.is_empty() {
            self.commands.push(std::mem::take(&mut self.command));
        }
    }
}

/// The values of options: `--name value` and `--name=value`, in order.
pub(super) fn options<'w>(words: &'w [String], names: &[&str]) -> Vec<&'w str> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if names.contains(&word.as_str()) {
            found.extend(words.get(at + 1).map(String::as_str));
        } else if let Some((name, value)) = word.split_once('=')
            && name.starts_with("--")
            && names.contains(&name)
        {
            found.push(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<Vec<String>> {
        commands(script)
    }

    #[test]
    fn quotes_continuations_and_comments_are_the_shells() {
        let script = "# no\ngh api \\\n  -f 'a b'=\"c \\\"d\\\"\" # end\nX=$(curl -d '{\"a\":\n1}' url) && echo done|cat";
        assert_eq!(
            words(script),
            [
                vec!["gh", "api", "-f", "a b=c \"d\""],
                vec!["X=$"],
                vec!["curl", "-d", "{\"a\":\n1}", "url"],
                vec!["echo", "done"],
                vec!["cat"],
            ]
        );
    }

    #[test]
    fn expressions_are_one_word() {
        assert_eq!(words("f ${{ a.b || 'c d' }} g"), [["f", "${{ a.b || 'c d' }}", "g"]]);
        assert_eq!(words("f ${HOME}/x"), [["f", "${HOME}/x"]]);
        assert_eq!(words("f \"unclosed\n g"), [["f", "unclosed\n g"]]);
    }

    #[test]
    fn options_are_read_in_both_spellings() {
        let words: Vec<String> = ["--ref", "main", "--ref=dev", "-f", "a=b"].map(str::to_owned).into();
        assert_eq!(options(&words, &["-r", "--ref"]), ["main", "dev"]);
        assert_eq!(options(&words, &["-f"]), ["a=b"]);
    }
}
