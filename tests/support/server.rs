//! A server in memory that misbehaves on command, and counts what it sends.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use qwisp::fetch::{Answer, Body, Failure, Retry, Source};
use qwisp::{Error, ErrorKind};

/// So many bytes come at once.
const CHUNK_BYTES: usize = 100_000;

/// Something that happens to a server.
type Event = Box<dyn FnOnce(&Server)>;

/// What is no file.
pub(crate) enum Page {
    /// Something that shows that it isn't one.
    Html,
    /// Something that doesn't.
    Text(&'static [u8]),
}

/// A file on a server, or on several.
pub(crate) struct Server {
    addresses: Vec<String>,
    /// What is served. A test may change it at any time.
    pub(crate) file: RefCell<Rc<Vec<u8>>>,
    /// What the server calls this version.
    pub(crate) validator: RefCell<Option<String>>,
    /// The hash that it states.
    pub(crate) sha256: RefCell<Option<String>>,
    /// Whether it sends parts.
    pub(crate) does_ranges: Cell<bool>,
    /// Whether it hears what version is wanted: a browser doesn't say that to another origin.
    pub(crate) hears_validators: Cell<bool>,
    /// How much longer the file is in its words than it is.
    pub(crate) exaggerates_by: Cell<u64>,
    /// Where connections break, each once: the first that is in the bytes on their way.
    pub(crate) cuts: RefCell<VecDeque<u64>>,
    /// How the next requests are refused.
    pub(crate) refusals: RefCell<VecDeque<Retry>>,
    /// What is sent instead of the file to the next requests, whatever they ask for: a page that says why not, say.
    pub(crate) pages: RefCell<VecDeque<Page>>,
    /// The addresses that refuse for good.
    pub(crate) gone: RefCell<Vec<String>>,
    /// Happens after so many bytes.
    pub(crate) after: RefCell<Option<(u64, Event)>>,
    /// What was asked for.
    pub(crate) requests: RefCell<Vec<(String, Range<u64>)>>,
    /// How many bytes were sent.
    pub(crate) sent_bytes: Cell<u64>,
    /// How long it was waited for.
    pub(crate) pauses: RefCell<Vec<Duration>>,
}

impl Server {
    /// A server that does everything right.
    pub(crate) fn new(file: &[u8]) -> Rc<Self> {
        Self::with_addresses(file, &["https://example.org/model.gguf"])
    }

    /// Several that have the same file.
    pub(crate) fn with_addresses(file: &[u8], addresses: &[&str]) -> Rc<Self> {
        Rc::new(Self {
            addresses: addresses.iter().map(|address| (*address).to_string()).collect(),
            file: RefCell::new(Rc::new(file.to_vec())),
            validator: RefCell::new(Some("\"1\"".to_string())),
            sha256: RefCell::default(),
            does_ranges: Cell::new(true),
            hears_validators: Cell::new(true),
            exaggerates_by: Cell::default(),
            cuts: RefCell::default(),
            refusals: RefCell::default(),
            pages: RefCell::default(),
            gone: RefCell::default(),
            after: RefCell::default(),
            requests: RefCell::default(),
            sent_bytes: Cell::default(),
            pauses: RefCell::default(),
        })
    }

    /// From now on the server has another version of the file.
    pub(crate) fn change(&self, file: &[u8], validator: Option<&str>) {
        *self.file.borrow_mut() = Rc::new(file.to_vec());
        *self.validator.borrow_mut() = validator.map(str::to_string);
    }

    /// Forgets what was asked for and sent.
    pub(crate) fn forget(&self) {
        self.requests.borrow_mut().clear();
        self.pauses.borrow_mut().clear();
        self.sent_bytes.set(0);
    }
}

/// A client's view of a server.
pub(crate) struct Client(pub(crate) Rc<Server>);

impl Source for Client {
    type Body = Connection;

    fn addresses(&self) -> &[String] {
        &self.0.addresses
    }

    async fn open(
        &self,
        address: &str,
        range: Range<u64>,
        validator: Option<&str>,
    ) -> Result<Answer<Connection>, Failure> {
        let server = &self.0;
        server.requests.borrow_mut().push((address.to_string(), range.clone()));
        let failure =
            |retry| Failure { error: Error::new(ErrorKind::Network, "the server refuses").at(address), retry };
        if server.gone.borrow().iter().any(|gone| gone == address) {
            return Err(failure(Retry::Never));
        }
        if let Some(retry) = server.refusals.borrow_mut().pop_front() {
            return Err(failure(retry));
        }
        let page = server.pages.borrow_mut().pop_front();
        match page {
            Some(Page::Html) => {
                let error = Error::new(ErrorKind::BadFile, "this is not a GGUF file").at(address);
                return Err(Failure { error, retry: Retry::Never });
            }
            Some(Page::Text(text)) => {
                let (file, end) = (Rc::new(text.to_vec()), text.len() as u64);
                let body = Connection { server: server.clone(), file, position: 0, end };
                return Ok(Answer { first: 0, total_bytes: Some(end), validator: None, sha256: None, body });
            }
            None => {}
        }
        let current = server.validator.borrow().clone();
        let validator = validator.filter(|_| server.hears_validators.get());
        let is_other_version = validator.is_some() && validator != current.as_deref();
        let file = server.file.borrow().clone();
        let whole = 0..file.len() as u64;
        let range = if server.does_ranges.get() && !is_other_version { range } else { whole.clone() };
        Ok(Answer {
            first: range.start,
            total_bytes: Some(whole.end + server.exaggerates_by.get()),
            validator: current,
            sha256: server.sha256.borrow().clone(),
            body: Connection { server: server.clone(), file, position: range.start, end: range.end.min(whole.end) },
        })
    }

    async fn pause(&self, duration: Duration) -> bool {
        self.0.pauses.borrow_mut().push(duration);
        false
    }
}

/// Bytes on their way.
pub(crate) struct Connection {
    server: Rc<Server>,
    file: Rc<Vec<u8>>,
    position: u64,
    end: u64,
}

impl Body for Connection {
    async fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<(), Failure> {
        let mut end = self.end.min(self.position + limit.min(CHUNK_BYTES) as u64);
        let cut = self.server.cuts.borrow().front().copied().filter(|cut| (self.position..=end).contains(cut));
        if let Some(cut) = cut {
            end = cut;
            if cut == self.position {
                self.server.cuts.borrow_mut().pop_front();
                let error = Error::new(ErrorKind::Network, "the connection was lost");
                return Err(Failure { error, retry: Retry::Later });
            }
        }
        buffer.extend_from_slice(&self.file[self.position as usize..end as usize]);
        self.server.sent_bytes.update(|sent| sent + (end - self.position));
        self.position = end;
        let is_due = |after: &mut (u64, _)| after.0 <= self.server.sent_bytes.get();
        let due = self.server.after.borrow_mut().take_if(is_due);
        if let Some((_, happen)) = due {
            happen(&self.server);
        }
        Ok(())
    }
}
