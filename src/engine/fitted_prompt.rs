//! A conversation that fits the context: what is left out of one that has become too long.

use serde::Deserialize;
use web_time::Instant;

use super::{ChatOptions, Engine};
use crate::backend::Backend;
use crate::error::{Error, ErrorKind, Result};
use crate::text::{Message, Prompt, Role};

/// What happens to a conversation that is too long for the context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContextPolicy {
    /// It is refused.
    #[default]
    Error,
    /// Its oldest turns are left out, until prompt and answer have room. A turn is a message of the user and all that
    /// follows it up to the next one. The system messages at the beginning stay, and so does the last turn.
    Slide,
}

/// The prompt of a conversation, as much of it as the context has room for.
#[derive(Debug, Clone)]
pub struct FittedPrompt {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// What they are of.
    pub(super) prompt: Prompt,
    /// How many messages were left out to make room.
    pub dropped_messages: usize,
    /// When the work on it began.
    pub(super) started: Instant,
}

impl<B: Backend> Engine<B> {
    /// The prompt of a conversation, by [`ChatOptions::context_policy`]. [`ContextPolicy::Slide`] makes room for
    /// `max_tokens` of the answer, but not for more than half of the context; without `max_tokens` for a quarter of it.
    ///
    /// # Errors
    /// Those of [`prompt_tokens`](Self::prompt_tokens), and `context-full` for a conversation, or a last turn, that is longer
    /// than the context.
    pub fn fit_prompt(&self, messages: &[Message], options: &ChatOptions) -> Result<FittedPrompt> {
        let started = Instant::now();
        let context = self.model.config.dimensions.context;
        let fitted = |encoded: Result<(Prompt, Vec<u32>)>, dropped_messages| {
            let (prompt, tokens) = encoded?;
            if tokens.len() > context {
                return Err(Error::new(ErrorKind::ContextFull, "the conversation is longer than the context")
                    .at("messages")
                    .got(format!("{} tokens", tokens.len()))
                    .expected(format!("at most {context}")));
            }
            Ok(FittedPrompt { tokens, prompt, dropped_messages, started })
        };
        let encoded = self.encoded_prompt(messages, options);
        if options.context_policy == ContextPolicy::Error {
            return fitted(encoded, 0);
        }
        let room = options.max_tokens.map_or(context / 4, |max_tokens| max_tokens.min(context / 2));
        let leaves_room = |encoded: &Result<(Prompt, Vec<u32>)>| match encoded {
            Ok((_, tokens)) => tokens.len() + room <= context,
            Err(error) => error.kind() != ErrorKind::ContextFull,
        };
        let turns = Turns::of(messages);
        if leaves_room(&encoded) || turns.droppable() == 0 {
            return fitted(encoded, 0);
        }
        // The fewest turns to drop, between one and all but the last: less of a conversation is never a longer prompt.
        let without = |dropped: usize| self.encoded_prompt(&turns.without(dropped), options);
        let (mut fewest, mut most) = (1, turns.droppable());
        let mut encoded = without(most);
        while fewest < most {
            let middle = fewest.midpoint(most);
            let candidate = without(middle);
            if leaves_room(&candidate) {
                (most, encoded) = (middle, candidate);
            } else {
                fewest = middle + 1;
            }
        }
        fitted(encoded, turns.dropped_messages(most))
    }
}

/// A conversation cut into what stays and turns.
struct Turns<'a> {
    messages: &'a [Message],
    /// Where turns begin. The first one begins after the system messages, whoever speaks then.
    starts: Vec<usize>,
}

impl<'a> Turns<'a> {
    fn of(messages: &'a [Message]) -> Self {
        let first = messages.iter().take_while(|message| message.role == Role::System).count();
        let later = (first + 1..messages.len()).filter(|&index| messages[index].role == Role::User);
        Self { messages, starts: std::iter::once(first).chain(later).collect() }
    }

    /// How many turns may be dropped: all but the last.
    fn droppable(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many messages the first `turns` turns have.
    fn dropped_messages(&self, turns: usize) -> usize {
        self.starts[turns] - self.starts[0]
    }

    /// The conversation without its first `turns` turns.
    fn without(&self, turns: usize) -> Vec<Message> {
        [&self.messages[..self.starts[0]], &self.messages[self.starts[turns]..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_a_message_of_the_user_and_what_follows_it() {
        // One letter a message, by its role.
        let cases: [(&str, usize, &[&str]); 7] = [
            ("suaua", 1, &["suaua", "sua"]),
            ("u", 0, &["u"]),
            ("su", 0, &["su"]),
            ("ssuatauau", 2, &["ssuatauau", "ssuau", "ssu"]),
            ("auaua", 2, &["auaua", "uaua", "ua"]),
            ("uasu", 1, &["uasu", "u"]),
            ("s", 0, &["s"]),
        ];
        let role = |letter| match letter {
            's' => Role::System,
            'u' => Role::User,
            'a' => Role::Assistant,
            _ => Role::Tool,
        };
        for (letters, droppable, expected) in cases {
            let messages: Vec<Message> = letters.chars().map(|letter| Message::new(role(letter), "")).collect();
            let turns = Turns::of(&messages);
            assert_eq!(turns.droppable(), droppable, "{letters}");
            for (dropped, expected) in expected.iter().enumerate() {
                let left = turns.without(dropped);
                let left: String = left.iter().map(|message| &message.role.as_str()[..1]).collect();
                assert_eq!(left, *expected, "{letters} without {dropped}");
                assert_eq!(turns.dropped_messages(dropped), letters.len() - expected.len(), "{letters}");
            }
        }
    }
}
