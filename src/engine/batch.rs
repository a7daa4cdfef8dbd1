//! Several conversations answered at once. Decoding reads every weight for every token; here it reads them once for the next
//! tokens of up to [`MAX_BATCH`] conversations.

use std::collections::VecDeque;

use web_time::Instant;

use super::{ChatOptions, Engine, FinishReason, FittedPrompt, Reply, ReplyCounters, Turn};
use crate::backend::{Backend, Counters, MAX_BATCH};
use crate::error::{Error, ErrorKind, Result};
use crate::generate::{HostChooser, prefill};
use crate::model::{KvCache, NextToken};
use crate::sampling::Sampling;
use crate::text::{Message, Piece};

/// The most tokens of an answer in a batch where none are given: room for them is set aside before.
pub const BATCH_MAX_TOKENS: usize = 512;

/// A conversation of a batch, and how it is to be answered.
#[derive(Debug, Clone)]
pub struct BatchItem {
    /// The conversation.
    pub messages: Vec<Message>,
    /// What the answer may be like; without `max_tokens` it has at most [`BATCH_MAX_TOKENS`].
    pub options: ChatOptions,
    /// How its tokens are chosen.
    pub sampling: Sampling,
}

/// A conversation that waits, or is being answered.
struct Entry<B: Backend> {
    /// Its place in the batch.
    index: usize,
    prompt: FittedPrompt,
    turn: Turn,
    sampling: Sampling,
    /// Whether the device can choose its tokens.
    can_sample: bool,
    /// What the device chooses its tokens by, while it does.
    answer: Option<B::Answer>,
    /// What the host chooses them by, where the device can't.
    chooser: HostChooser,
    /// Tokens that may still come.
    remaining: usize,
    /// Positions that its KV cache needs.
    positions: usize,
    /// What the model is made to say next.
    forced: VecDeque<u32>,
    /// The token chosen last, which is not computed yet.
    last: u32,
}

/// What a batch has come to.
struct Batch<B: Backend, F> {
    waiting: VecDeque<Entry<B>>,
    active: Vec<(Entry<B>, KvCache<B>)>,
    /// Caches that no conversation has at the moment; what they hold may be the beginning of the next one.
    free: Vec<KvCache<B>>,
    /// Of answers that are over: room for others.
    free_answers: Vec<B::Answer>,
    replies: Vec<Option<Result<Reply>>>,
    prefill: Counters,
    on_piece: F,
}

impl<B: Backend> Engine<B> {
    /// Answers several conversations, up to [`MAX_BATCH`] at the same time, and gives a reply or an error for each of
    /// `items`. `on_piece` gets the answers piece by piece, with the index of each. `aborted` is asked before each pass: all
    /// answers then end with what there is so far. The device chooses the tokens where it can, and thinking has no budget.
    ///
    /// The conversations' KV caches are allocated for the longest prompt and answer among them, and freed at the end. What
    /// [`chat`](Self::chat) left in the model's own cache stays there.
    ///
    /// # Errors
    /// For a single conversation those of [`chat`](Self::chat). For the whole batch what the device reports.
    pub async fn batch(
        &mut self,
        items: &[BatchItem],
        on_piece: impl FnMut(usize, &Piece),
        aborted: impl Fn() -> bool,
    ) -> Result<Vec<Result<Reply>>> {
        let counters_before = self.model.counters();
        let mut batch = Batch {
            waiting: VecDeque::new(),
            active: Vec::new(),
            free: Vec::new(),
            free_answers: Vec::new(),
            replies: items.iter().map(|_| None).collect(),
            prefill: Counters::default(),
            on_piece,
        };
        let mut capacity = 0;
        for (index, item) in items.iter().enumerate() {
            match self.batch_entry(index, item) {
                Ok(entry) => {
                    capacity = capacity.max(entry.positions);
                    batch.waiting.push_back(entry);
                }
                Err(error) => batch.replies[index] = Some(Err(error)),
            }
        }

        let mut outcome = Ok(());
        for _ in 0..batch.waiting.len().min(MAX_BATCH) {
            match self.model.allocate_cache(capacity).await {
                Ok(cache) => batch.free.push(cache),
                // Those that have no cache wait for one.
                Err(error) if error.kind() == ErrorKind::ContextFull && !batch.free.is_empty() => break,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        batch.prefill = self.model.counters() - counters_before;
        if outcome.is_ok() {
            outcome = self.run_batch(&mut batch, &aborted).await;
        }
        for (entry, cache) in batch.active.drain(..) {
            batch.free.push(cache);
            batch.free_answers.extend(entry.answer);
        }
        batch.free.drain(..).for_each(|cache| self.model.free_cache(cache));
        batch.free_answers.drain(..).for_each(|answer| self.model.free_answer(answer));
        outcome?;
        let asked = self.model.counters() - counters_before;
        self.counters = ReplyCounters { prefill: batch.prefill, decode: asked - batch.prefill };
        let missing = || Err(Error::new(ErrorKind::Internal, "a conversation of a batch was left without a reply"));
        Ok(batch.replies.into_iter().map(|reply| reply.unwrap_or_else(missing)).collect())
    }

    /// All that a conversation needs before its turn comes.
    fn batch_entry(&self, index: usize, item: &BatchItem) -> Result<Entry<B>> {
        let max_tokens = item.options.max_tokens.unwrap_or(BATCH_MAX_TOKENS.max(item.sampling.min_tokens));
        let options = ChatOptions { max_tokens: Some(max_tokens), ..item.options.clone() };
        let prompt = self.fit_prompt(&item.messages, &options)?;
        let turn = self.begin_turn(&prompt, &options, &item.sampling)?;
        let chooser = HostChooser::new(&item.sampling, &prompt.tokens, self.tokenizer.len())?;
        // Room for what may have to end the thinking is set aside as well, if there is any.
        let context = self.model.config.dimensions.context;
        let ending = match options.thinking_budget {
            Some(_) => turn.tokens_to_end_thinking(&self.tokenizer)?.len(),
            None => 0,
        };
        let used = prompt.tokens.len() + ending.min(context - prompt.tokens.len());
        // The last token needs no room: nothing is computed of it.
        let remaining = max_tokens.min(context - used + 1);
        Ok(Entry {
            index,
            prompt,
            turn,
            sampling: item.sampling.clone(),
            // What the model is made to say is nothing that the device chose.
            can_sample: self.model.can_sample(&item.sampling) && options.thinking_budget.is_none(),
            answer: None,
            chooser,
            remaining,
            positions: used + remaining - 1,
            forced: VecDeque::new(),
            last: 0,
        })
    }

    /// Answers until nobody waits.
    async fn run_batch<F: FnMut(usize, &Piece)>(
        &mut self,
        batch: &mut Batch<B, F>,
        aborted: &impl Fn() -> bool,
    ) -> Result<()> {
        loop {
            // Whoever is done makes room for whoever waits.
            while let Some(cache) = batch.free.pop_if(|_| !batch.waiting.is_empty())
                && let Some(entry) = batch.waiting.pop_front()
            {
                self.begin(batch, entry, cache, aborted).await?;
            }
            if batch.active.is_empty() {
                return Ok(());
            }
            if aborted() {
                for (entry, cache) in std::mem::take(&mut batch.active) {
                    batch.end(entry, cache, FinishReason::Abort);
                }
                continue;
            }
            let tokens: Vec<u32> = batch.active.iter().map(|(entry, _)| entry.last).collect();
            let mut caches: Vec<&mut KvCache<B>> = batch.active.iter_mut().map(|(_, cache)| cache).collect();
            self.model.forward_batch(&tokens, &mut caches)?;
            let answers: Vec<_> = batch.active.iter().map(|(entry, _)| entry.answer.as_ref()).collect();
            let next = self.model.next_tokens(&answers).await?;
            let mut outcome = Ok(());
            for ((entry, cache), next) in std::mem::take(&mut batch.active).into_iter().zip(next) {
                outcome = outcome.and(self.go_on(batch, entry, cache, next));
            }
            outcome?;
        }
    }

    /// Reads the prompt of a conversation, with the cache that it is to have, and chooses the first token of its answer.
    async fn begin<F: FnMut(usize, &Piece)>(
        &mut self,
        batch: &mut Batch<B, F>,
        mut entry: Entry<B>,
        mut cache: KvCache<B>,
        aborted: &impl Fn() -> bool,
    ) -> Result<()> {
        entry.turn.started = Instant::now();
        let counters_before = self.model.counters();
        self.model.exchange_cache(&mut cache);
        let read = async {
            entry.turn.usage.cached_tokens = prefill(&mut self.model, &entry.prompt.tokens, aborted).await?;
            if entry.can_sample {
                let (room, choices) = (batch.free_answers.pop(), self.tokenizer.len());
                entry.answer = Some(self.model.start_answer(room, &entry.sampling, choices, &entry.prompt.tokens));
            }
            self.model.next_tokens(&[entry.answer.as_ref()]).await
        };
        let next = read.await;
        self.model.exchange_cache(&mut cache);
        batch.prefill += self.model.counters() - counters_before;
        let none = || Error::new(ErrorKind::Internal, "no token came after a prompt");
        match next.and_then(|mut next| next.pop().ok_or_else(none)) {
            Ok(next) => self.go_on(batch, entry, cache, next),
            Err(error) if error.kind() == ErrorKind::Aborted => {
                batch.end(entry, cache, FinishReason::Abort);
                Ok(())
            }
            Err(error) => {
                batch.active.push((entry, cache)); // to be freed with the others
                Err(error)
            }
        }
    }

    /// Lets an answer go on with its next token, or end.
    fn go_on<F: FnMut(usize, &Piece)>(
        &mut self,
        batch: &mut Batch<B, F>,
        mut entry: Entry<B>,
        cache: KvCache<B>,
        next: NextToken,
    ) -> Result<()> {
        let end = self.advance(&mut entry, &cache, next, &mut batch.on_piece);
        match end {
            Ok(Some(finish_reason)) => batch.end(entry, cache, finish_reason),
            // One that failed is freed with the others.
            Ok(None) | Err(_) => batch.active.push((entry, cache)),
        }
        end.map(|_| ())
    }

    /// Takes the next token of an answer, or chooses it; returns why the answer ends, if it does.
    fn advance(
        &self,
        entry: &mut Entry<B>,
        cache: &KvCache<B>,
        next: NextToken,
        on_piece: &mut impl FnMut(usize, &Piece),
    ) -> Result<Option<FinishReason>> {
        let Entry { index, turn, chooser, remaining, forced, last, .. } = entry;
        let mut on_piece = |piece: &Piece| on_piece(*index, piece);
        if forced.is_empty() && turn.has_thought_enough() {
            forced.extend(turn.tokens_to_end_thinking(&self.tokenizer)?);
            if cache.position() + forced.len() > cache.capacity() {
                return Ok(Some(FinishReason::Length));
            }
        }
        if let Some(token) = forced.pop_front() {
            turn.add(token, &self.tokenizer, &mut on_piece)?;
            *last = token;
            return Ok(None);
        }
        let banned = if turn.may_end() { &[][..] } else { &self.stop_tokens };
        *last = match next {
            NextToken::Chosen(token) => token,
            NextToken::FromLogits(mut logits) => chooser.choose(&mut logits, banned),
        };
        *remaining -= 1;
        let end = turn.take(*last, chooser.logprobs(), &self.tokenizer, &self.stop_tokens, &mut on_piece)?;
        Ok(end.or((*remaining == 0).then_some(FinishReason::Length)))
    }
}

impl<B: Backend, F: FnMut(usize, &Piece)> Batch<B, F> {
    /// Takes note of an answer that has ended.
    fn end(&mut self, entry: Entry<B>, cache: KvCache<B>, finish_reason: FinishReason) {
        let Entry { index, turn, answer, .. } = entry;
        self.free_answers.extend(answer);
        self.replies[index] = Some(Ok(turn.finish(finish_reason, &mut |piece: &Piece| (self.on_piece)(index, piece))));
        self.free.push(cache);
    }
}
