//! The weights of a model on a device: which tensors there must be, and how a file's bytes reach them.

use super::Config;
use crate::backend::{Backend, Dimensions, HeadNorms, Projection};
use crate::error::{Error, ErrorKind, Result};
use crate::gguf::{Header, TensorInfo, TensorType};

/// The weights of a model, under the names of the GGUF specification's standardised tensor names.
#[derive(Debug)]
pub struct Weights<T> {
    /// `[vocabulary, hidden]`.
    pub token_embedding: T,
    /// The layers, first to last.
    pub layers: Vec<LayerWeights<T>>,
    /// `[hidden]`.
    pub output_norm: T,
    /// The head, `[vocabulary, hidden]`: the token embedding once more where the file has no head of its own.
    pub output: T,
}

/// The weights of one layer.
#[derive(Debug)]
pub struct LayerWeights<T> {
    /// `[hidden]`.
    pub attention_norm: T,
    /// `[heads * head_dim, hidden]`, in Qwen2 with bias.
    pub query: Projection<T>,
    /// `[kv_heads * head_dim, hidden]`, in Qwen2 with bias.
    pub key: Projection<T>,
    /// `[kv_heads * head_dim, hidden]`, in Qwen2 with bias.
    pub value: Projection<T>,
    /// `[head_dim]` each, in Qwen3.
    pub head_norms: Option<HeadNorms<T>>,
    /// `[hidden, heads * head_dim]`.
    pub attention_output: T,
    /// `[hidden]`.
    pub feed_forward_norm: T,
    /// `[feed_forward, hidden]`.
    pub gate: T,
    /// `[feed_forward, hidden]`.
    pub up: T,
    /// `[hidden, feed_forward]`.
    pub down: T,
}

/// Fills the weights of a model from the bytes of its file, which come in order and in pieces of any length.
pub struct WeightsLoader<T> {
    /// Where each tensor's bytes go, in the order of the file.
    destinations: Vec<(TensorInfo, T)>,
    /// The first tensor that isn't complete.
    next: usize,
    /// The beginning of two blocks of that tensor, which wait for the rest: backends take blocks in pairs.
    carry: Vec<u8>,
    /// How much of that tensor has been uploaded.
    uploaded_bytes: u64,
    /// How much of the file has been seen.
    position: u64,
}

impl<T: Clone> Weights<T> {
    /// Makes room on `backend` for the tensors of a model, and a loader that fills them.
    ///
    /// # Errors
    /// [`ErrorKind::BadFile`] when a tensor is missing or doesn't have the shape that `config` calls for;
    /// [`ErrorKind::UnsupportedModel`] when the backend can't take one, or a layer has one that isn't computed.
    pub fn allocate<B: Backend<Tensor = T>>(
        backend: &mut B,
        header: &Header,
        config: &Config,
    ) -> Result<(Self, WeightsLoader<T>)> {
        let mut allocator = Allocator { backend, header, destinations: Vec::new() };
        let Dimensions { hidden, feed_forward, heads, layers, kv_heads, head_dim, vocabulary, .. } = config.dimensions;
        let (query_rows, key_rows) = (heads * head_dim, kv_heads * head_dim);

        let token_embedding = match header.tensor("output.weight") {
            Some(_) => allocator.table("token_embd.weight", vocabulary, hidden)?,
            None => allocator.matrix("token_embd.weight", vocabulary, hidden)?,
        };
        let layers = (0..layers)
            .map(|layer| {
                let name = |part: &str| format!("blk.{layer}.{part}");
                Ok(LayerWeights {
                    attention_norm: allocator.vector(&name("attn_norm.weight"), hidden)?,
                    query: allocator.projection(&name("attn_q"), query_rows, hidden)?,
                    key: allocator.projection(&name("attn_k"), key_rows, hidden)?,
                    value: allocator.projection(&name("attn_v"), key_rows, hidden)?,
                    head_norms: match config.normalizes_heads {
                        true => Some(HeadNorms {
                            query: allocator.vector(&name("attn_q_norm.weight"), head_dim)?,
                            key: allocator.vector(&name("attn_k_norm.weight"), head_dim)?,
                        }),
                        false => None,
                    },
                    attention_output: allocator.matrix(&name("attn_output.weight"), hidden, query_rows)?,
                    feed_forward_norm: allocator.vector(&name("ffn_norm.weight"), hidden)?,
                    gate: allocator.matrix(&name("ffn_gate.weight"), feed_forward, hidden)?,
                    up: allocator.matrix(&name("ffn_up.weight"), feed_forward, hidden)?,
                    down: allocator.matrix(&name("ffn_down.weight"), hidden, feed_forward)?,
                })
            })
            .collect::<Result<_>>()?;
        let output_norm = allocator.vector("output_norm.weight", hidden)?;
        let output = match header.tensor("output.weight") {
            Some(_) => allocator.matrix("output.weight", vocabulary, hidden)?,
            None => token_embedding.clone(),
        };

        allocator.check_layers(&config.architecture)?;

        let mut destinations = allocator.destinations;
        destinations.sort_by_key(|(info, _)| info.bytes.start);
        let loader = WeightsLoader { destinations, next: 0, carry: Vec::new(), uploaded_bytes: 0, position: 0 };
        Ok((Self { token_embedding, layers, output_norm, output }, loader))
    }
}

impl<T: Clone> WeightsLoader<T> {
    /// Takes the next bytes of the file and uploads what of them belongs to a tensor.
    pub fn feed<B: Backend<Tensor = T>>(&mut self, backend: &mut B, mut bytes: &[u8]) {
        while let Some((info, tensor)) = self.destinations.get(self.next)
            && !bytes.is_empty()
        {
            // Between tensors there is padding, and maybe a tensor that the model has no use for.
            let skipped = info.bytes.start.saturating_sub(self.position).min(bytes.len() as u64);
            bytes = &bytes[skipped as usize..];
            self.position += skipped;
            let here = (info.bytes.end - self.position).min(bytes.len() as u64);
            let (part, rest) = bytes.split_at(here as usize);
            bytes = rest;
            self.position += here;

            let complete = self.position == info.bytes.end;
            let pair_bytes = 2 * info.tensor_type.block_bytes();
            let mut part = part;
            if !self.carry.is_empty() {
                let (head, tail) = part.split_at((pair_bytes - self.carry.len()).min(part.len()));
                self.carry.extend_from_slice(head);
                part = tail;
                if self.carry.len() == pair_bytes || (complete && part.is_empty()) {
                    backend.upload(tensor, self.uploaded_bytes, &self.carry);
                    self.uploaded_bytes += self.carry.len() as u64;
                    self.carry.clear();
                }
            }
            let (now, later) = part.split_at(if complete { part.len() } else { part.len() / pair_bytes * pair_bytes });
            if !now.is_empty() {
                backend.upload(tensor, self.uploaded_bytes, now);
                self.uploaded_bytes += now.len() as u64;
            }
            self.carry.extend_from_slice(later);
            if complete {
                self.next += 1;
                self.uploaded_bytes = 0;
            }
        }
        self.position += bytes.len() as u64;
    }

    /// Whether every tensor has all its bytes.
    pub fn is_complete(&self) -> bool {
        self.next == self.destinations.len()
    }

    /// The bytes that all tensors together take on the device.
    pub fn device_bytes<B: Backend<Tensor = T>>(&self) -> u64 {
        self.destinations.iter().map(|(_, tensor)| B::tensor_bytes(tensor)).sum()
    }
}

/// Looks tensors up by name, checks their shape, and makes room for them.
struct Allocator<'a, B: Backend> {
    backend: &'a mut B,
    header: &'a Header,
    destinations: Vec<(TensorInfo, B::Tensor)>,
}

impl<B: Backend> Allocator<'_, B> {
    fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<B::Tensor> {
        self.tensor(name, rows, columns, B::allocate)
    }

    fn table(&mut self, name: &str, rows: usize, columns: usize) -> Result<B::Tensor> {
        self.tensor(name, rows, columns, B::allocate_table)
    }

    fn tensor(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
        allocate: impl Fn(&mut B, &TensorInfo) -> Result<B::Tensor>,
    ) -> Result<B::Tensor> {
        let Some(info) = self.header.tensor(name) else {
            return Err(Error::new(ErrorKind::BadFile, "a tensor is missing").at(name));
        };
        if (info.rows, info.columns) != (rows, columns) {
            return Err(Error::new(ErrorKind::BadFile, "a tensor has the wrong shape")
                .at(name)
                .got(format!("[{}, {}]", info.rows, info.columns))
                .expected(format!("[{rows}, {columns}]")));
        }
        let tensor = allocate(self.backend, info)?;
        self.destinations.push((info.clone(), tensor.clone()));
        Ok(tensor)
    }

    fn vector(&mut self, name: &str, columns: usize) -> Result<B::Tensor> {
        if let Some(info) = self.header.tensor(name)
            && info.tensor_type != TensorType::F32
        {
            return Err(Error::new(ErrorKind::UnsupportedModel, "a norm or bias has an unsupported type")
                .at(name)
                .got(info.tensor_type.name())
                .expected(TensorType::F32.name()));
        }
        self.matrix(name, 1, columns)
    }

    /// Fails for a tensor of a layer that nothing was made of: what the file is meant to compute would need it.
    fn check_layers(&self, architecture: &str) -> Result<()> {
        let is_used = |tensor: &TensorInfo| self.destinations.iter().any(|(used, _)| used.name == tensor.name);
        match self.header.tensors.iter().find(|tensor| tensor.name.starts_with("blk.") && !is_used(tensor)) {
            Some(TensorInfo { name, tensor_type, rows, columns, .. }) => {
                Err(Error::new(ErrorKind::UnsupportedModel, "a layer has a tensor that is not computed with")
                    .at(name)
                    .got(format!("[{rows}, {columns}] of {}", tensor_type.name()))
                    .expected(format!("only the tensors of {architecture}")))
            }
            None => Ok(()),
        }
    }

    fn projection(&mut self, name: &str, rows: usize, columns: usize) -> Result<Projection<B::Tensor>> {
        let bias_name = format!("{name}.bias");
        let bias = match self.header.tensor(&bias_name) {
            Some(_) => Some(self.vector(&bias_name, rows)?),
            None => None,
        };
        Ok(Projection { weight: self.matrix(&format!("{name}.weight"), rows, columns)?, bias })
    }
}
