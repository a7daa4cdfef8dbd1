//! Telling what a model thinks from what it says: `<think>`, line breaks, thoughts, line breaks, `</think>`, line breaks,
//! answer. The line breaks belong to neither.

use serde::Serialize;

/// What begins thinking.
pub(super) const OPENING: &str = "<think>";
/// What ends it.
pub(super) const CLOSING: &str = "</think>";

/// A piece of a reply. Both may be empty; where both aren't, the thinking comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// What was thought.
    pub thinking: String,
    /// What was said.
    pub text: String,
}

/// A tag that is a token of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Opening,
    Closing,
}

impl Tag {
    fn text(self) -> &'static str {
        match self {
            Self::Opening => OPENING,
            Self::Closing => CLOSING,
        }
    }
}

/// What the next characters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The very beginning: spaces before a tag or before the answer.
    Beginning,
    /// Line breaks before the first thought.
    BeforeThinking,
    /// Thoughts.
    Thinking,
    /// Line breaks before the answer.
    BeforeAnswer,
    /// The answer.
    Answer,
}

/// Splits a reply that comes in arbitrary pieces.
#[derive(Debug)]
pub(super) struct ThinkingSplitter {
    state: State,
    /// Whether tags are found in text, too: the vocabulary has no tokens for them.
    tags_are_text: bool,
    /// What can't be told yet: the beginning of a tag, line breaks that may be before one.
    held_back: String,
}

impl ThinkingSplitter {
    /// A splitter of a reply that begins within thinking or not.
    pub(super) fn new(begins_thinking: bool, tags_are_text: bool) -> Self {
        let state = if begins_thinking { State::BeforeThinking } else { State::Beginning };
        Self { state, tags_are_text, held_back: String::new() }
    }

    /// A splitter of a reply that is an answer and nothing else.
    pub(super) fn answer_only() -> Self {
        Self { state: State::Answer, tags_are_text: false, held_back: String::new() }
    }

    /// Whether what comes next is thought.
    pub(super) fn is_thinking(&self) -> bool {
        matches!(self.state, State::BeforeThinking | State::Thinking)
    }

    /// Takes a tag. Where it tags nothing, it is text like any other.
    pub(super) fn push_tag(&mut self, tag: Tag) -> Piece {
        match (self.state, tag) {
            (State::Beginning, Tag::Opening) => self.enter(State::BeforeThinking),
            (State::BeforeThinking | State::Thinking, Tag::Closing) => self.enter(State::BeforeAnswer),
            (_, tag) => {
                let mut piece = Piece::default();
                self.held_back.push_str(tag.text());
                self.read(false, &mut piece);
                return piece;
            }
        }
        Piece::default()
    }

    /// Takes more text.
    pub(super) fn push_text(&mut self, text: &str) -> Piece {
        let mut piece = Piece::default();
        self.held_back.push_str(text);
        self.read(self.tags_are_text, &mut piece);
        piece
    }

    /// What was held back, when nothing more comes. Line breaks at the end of thoughts are none of it.
    pub(super) fn finish(&mut self) -> Piece {
        let rest = std::mem::take(&mut self.held_back);
        match self.state {
            State::BeforeThinking | State::BeforeAnswer => Piece::default(),
            State::Thinking => Piece { thinking: rest.trim_end_matches('\n').to_owned(), text: String::new() },
            State::Beginning | State::Answer => Piece { thinking: String::new(), text: rest },
        }
    }

    /// Behind a tag: what was held back before it were spaces.
    fn enter(&mut self, state: State) {
        self.state = state;
        self.held_back.clear();
    }

    /// Moves what can be told from what is held back into `piece`.
    fn read(&mut self, find_tags: bool, piece: &mut Piece) {
        loop {
            match self.state {
                State::Beginning => {
                    let said = self.held_back.trim_start();
                    if find_tags && let Some(rest) = said.strip_prefix(OPENING) {
                        self.held_back = rest.to_owned();
                        self.state = State::BeforeThinking;
                    } else if said.is_empty() || find_tags && OPENING.starts_with(said) {
                        return;
                    } else {
                        self.state = State::Answer;
                    }
                }
                State::BeforeThinking | State::BeforeAnswer => {
                    let rest = self.held_back.trim_start_matches('\n');
                    if rest.is_empty() {
                        self.held_back.clear();
                        return;
                    }
                    self.held_back = rest.to_owned();
                    self.state = if self.is_thinking() { State::Thinking } else { State::Answer };
                }
                State::Thinking => {
                    if find_tags && let Some((thoughts, rest)) = self.held_back.split_once(CLOSING) {
                        piece.thinking.push_str(thoughts.trim_end_matches('\n'));
                        self.held_back = rest.to_owned();
                        self.state = State::BeforeAnswer;
                        continue;
                    }
                    let held_bytes = if find_tags { overlap_bytes(&self.held_back, CLOSING) } else { 0 };
                    let told = &self.held_back[..self.held_back.len() - held_bytes];
                    let later = self.held_back.split_off(told.trim_end_matches('\n').len());
                    piece.thinking.push_str(&std::mem::replace(&mut self.held_back, later));
                    return;
                }
                State::Answer => {
                    piece.text.push_str(&std::mem::take(&mut self.held_back));
                    return;
                }
            }
        }
    }
}

/// How many bytes at the end of `text` are a beginning of `tag`, which is ASCII.
fn overlap_bytes(text: &str, tag: &str) -> usize {
    (1..tag.len()).rev().find(|&length| text.ends_with(&tag[..length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(whole: &mut Piece, piece: Piece) {
        assert!(piece.thinking.is_empty() || whole.text.is_empty(), "thoughts after the answer");
        whole.thinking += &piece.thinking;
        whole.text += &piece.text;
    }

    /// What pieces of text give, with tags in text or as tokens.
    fn split(pieces: &[&str], begins_thinking: bool, tags_are_text: bool) -> (Piece, Vec<bool>) {
        let mut splitter = ThinkingSplitter::new(begins_thinking, tags_are_text);
        let (mut whole, mut thinking) = (Piece::default(), Vec::new());
        for piece in pieces {
            add(
                &mut whole,
                match *piece {
                    OPENING if !tags_are_text => splitter.push_tag(Tag::Opening),
                    CLOSING if !tags_are_text => splitter.push_tag(Tag::Closing),
                    text => splitter.push_text(text),
                },
            );
            thinking.push(splitter.is_thinking());
        }
        add(&mut whole, splitter.finish());
        (whole, thinking)
    }

    /// Replies, whether they begin within thinking, and what was thought and said.
    const REPLIES: [(&str, bool, &str, &str); 15] = [
        ("<think>\nOne.\nTwo.\n</think>\n\nSo it is.\n", false, "One.\nTwo.", "So it is.\n"),
        ("\n <think>\n\n</think>\n\nSo it is.", false, "", "So it is."),
        ("<think></think>Yes", false, "", "Yes"),
        ("One.\n\nTwo.\n</think>\n\n  Yes\n\n", true, "One.\n\nTwo.", "  Yes\n\n"),
        ("\n\n</think>\n\nYes", true, "", "Yes"),
        ("Plain, with <b> and\n\nbreaks\n", false, "", "Plain, with <b> and\n\nbreaks\n"),
        (" \n Indented", false, "", " \n Indented"),
        ("Say <think> to think, </think> to stop", false, "", "Say <think> to think, </think> to stop"),
        ("</think>Yes", false, "", "</think>Yes"),
        ("<think>a < b, <think>, </thin, <</think>x</think>", false, "a < b, <think>, </thin, <", "x</think>"),
        ("<think>\nNever done\n\n", false, "Never done", ""),
        ("<think>\n", false, "", ""),
        ("<thin", false, "", "<thin"),
        ("  ", false, "", "  "),
        ("thoughts </th", true, "thoughts </th", ""),
    ];

    #[test]
    fn a_reply_is_split_wherever_its_text_is_cut() {
        for (reply, begins_thinking, thinking, text) in REPLIES {
            let expected = Piece { thinking: thinking.to_owned(), text: text.to_owned() };
            for first in 0..=reply.len() {
                for second in first..=reply.len() {
                    let pieces = [&reply[..first], &reply[first..second], &reply[second..]];
                    assert_eq!(split(&pieces, begins_thinking, true).0, expected, "{pieces:?}");
                }
            }
            let one_by_one: Vec<&str> = (0..reply.len()).map(|index| &reply[index..=index]).collect();
            assert_eq!(split(&one_by_one, begins_thinking, true).0, expected, "{reply:?}");
        }
    }

    #[test]
    fn a_reply_is_split_at_tokens_wherever_the_rest_is_cut() {
        for (reply, begins_thinking, thinking, text) in REPLIES {
            // Tags alone, and single characters between them.
            let mut pieces = Vec::new();
            let mut rest = reply;
            while !rest.is_empty() {
                let tag = [OPENING, CLOSING].into_iter().find(|tag| rest.starts_with(tag));
                let (piece, behind) = rest.split_at(tag.map_or(1, str::len));
                pieces.push(piece);
                rest = behind;
            }
            let expected = Piece { thinking: thinking.to_owned(), text: text.to_owned() };
            assert_eq!(split(&pieces, begins_thinking, false).0, expected, "{pieces:?}");
        }
    }

    #[test]
    fn tags_spelled_out_are_text_where_there_are_tokens_for_them() {
        let pieces = ["<think>", "\nIt ends with <", "/think>, I think", "\n", "</think>", "\n\n", "<", "think>"];
        let (whole, thinking) = split(&pieces, false, false);
        assert_eq!(whole.thinking, "It ends with </think>, I think");
        assert_eq!(whole.text, "<think>");
        assert_eq!(thinking, [true, true, true, true, false, false, false, false]);
    }

    #[test]
    fn thoughts_are_shown_as_soon_as_they_are_known_to_be_thoughts() {
        let mut splitter = ThinkingSplitter::new(true, true);
        let shown: Vec<Piece> =
            ["\n", "One\n", "\nTwo </", "b>", "\n</think>\n", "\nYes"].map(|text| splitter.push_text(text)).into();
        let thinking: Vec<&str> = shown.iter().map(|piece| piece.thinking.as_str()).collect();
        let text: Vec<&str> = shown.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(thinking, ["", "One", "\n\nTwo ", "</b>", "", ""]);
        assert_eq!(text, ["", "", "", "", "", "Yes"]);
    }

    #[test]
    fn an_answer_alone_is_not_looked_at() {
        let mut splitter = ThinkingSplitter::answer_only();
        assert_eq!(splitter.push_text("\n<think>").text, "\n<think>");
    }
}
