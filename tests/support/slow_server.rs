//! A server in memory whose bytes take time. No time passes but while everybody waits, so a test takes none.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use qwisp::fetch::{Answer, Body, Failure, Retry, Source};
use qwisp::{Error, ErrorKind};

use super::server::{Client, Connection, Server};

/// So many bytes come at once.
const CHUNK_BYTES: usize = 100_000;
/// A range that goes wrong on its way does so after these.
const FAULT_OFFSET: u64 = 1_000_000;
/// A connection of which nothing comes is given up after this.
const STALL: Duration = Duration::from_secs(20);

/// What can go wrong with one range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// Another status than 206, which says when to ask again.
    Status(Retry),
    /// The file from its beginning.
    WholeFile,
    /// The file is said to be longer.
    OtherLength,
    /// It is said to be of another version.
    OtherValidator,
    /// Fewer bytes than were asked for.
    ShortBody,
    /// The connection breaks.
    BreaksOff,
    /// Nothing comes any more.
    Stalls,
    /// The caller aborted: nothing can be fetched any more.
    Aborted,
}

/// A time that stands still until nobody can go on.
pub(crate) struct Clock {
    start: Instant,
    now: Cell<Duration>,
    /// What is waited for.
    deadlines: RefCell<BTreeSet<Duration>>,
}

impl Clock {
    /// Runs something to its end; returns how long that took.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> (T, Duration) {
        let started = self.now.get();
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return (output, self.now.get() - started);
            }
            let next = self.deadlines.borrow_mut().pop_first().expect("something is waited for");
            self.now.set(self.now.get().max(next));
        }
    }

    async fn wait_until(&self, deadline: Duration) {
        poll_fn(|_| {
            if self.now.get() >= deadline {
                return Poll::Ready(());
            }
            self.deadlines.borrow_mut().insert(deadline);
            Poll::Pending
        })
        .await;
    }
}

/// A [`Server`] behind something slow.
pub(crate) struct SlowServer {
    pub(crate) server: Rc<Server>,
    pub(crate) clock: Clock,
    /// How fast each connection is, and all of them together.
    connection_rate: f64,
    line_rate: f64,
    /// When the line has sent what was asked of it so far.
    line_is_free: Cell<Duration>,
    /// What goes wrong, once, with the first range that begins at this byte and is no longer than a record.
    pub(crate) fault: Cell<Option<(u64, Fault)>>,
    is_aborted: Cell<bool>,
    /// How many bodies there are, and were at most.
    pub(crate) open_bodies: Cell<usize>,
    pub(crate) most_bodies: Cell<usize>,
}

impl SlowServer {
    /// In bytes per second.
    pub(crate) fn new(file: &[u8], connection_rate: f64, line_rate: f64) -> Rc<Self> {
        let (start, now, deadlines) = (Instant::now(), Cell::default(), RefCell::default());
        Rc::new(Self {
            server: Server::new(file),
            clock: Clock { start, now, deadlines },
            connection_rate,
            line_rate,
            line_is_free: Cell::default(),
            fault: Cell::default(),
            is_aborted: Cell::default(),
            open_bodies: Cell::default(),
            most_bodies: Cell::default(),
        })
    }

    fn aborted(&self) -> Result<(), Failure> {
        if !self.is_aborted.get() {
            return Ok(());
        }
        Err(Failure { error: Error::new(ErrorKind::Aborted, "the caller aborted"), retry: Retry::Never })
    }
}

/// A client's view of it; `on_open` sees each range that is asked for.
pub(crate) struct SlowClient<'a> {
    pub(crate) server: Rc<SlowServer>,
    client: Client,
    on_open: &'a dyn Fn(&Range<u64>),
}

impl<'a> SlowClient<'a> {
    pub(crate) fn new(server: &Rc<SlowServer>, on_open: &'a dyn Fn(&Range<u64>)) -> Self {
        Self { server: server.clone(), client: Client(server.server.clone()), on_open }
    }
}

impl Source for SlowClient<'_> {
    type Body = SlowBody;

    fn addresses(&self) -> &[String] {
        self.client.addresses()
    }

    async fn open(
        &self,
        address: &str,
        range: Range<u64>,
        validator: Option<&str>,
    ) -> Result<Answer<SlowBody>, Failure> {
        let server = &self.server;
        server.aborted()?;
        (self.on_open)(&range);
        let is_record = range.end - range.start <= qwisp::store::RECORD_BYTES as u64;
        let fault = server.fault.get().filter(|(start, _)| is_record && *start == range.start).map(|(_, fault)| fault);
        if fault.is_some() {
            server.fault.set(None);
        }
        if let Some(Fault::Status(retry)) = fault {
            server.server.refusals.borrow_mut().push_back(retry);
        }
        let mut answer = self.client.open(address, range, validator).await?;
        match fault {
            Some(Fault::WholeFile) => answer.first = 0,
            Some(Fault::OtherLength) => answer.total_bytes = answer.total_bytes.map(|bytes| bytes + 1),
            Some(Fault::OtherValidator) => answer.validator = Some("\"other\"".to_string()),
            _ => {}
        }
        server.open_bodies.update(|open| open + 1);
        server.most_bodies.update(|most| most.max(server.open_bodies.get()));
        let Answer { first, total_bytes, validator, sha256, body } = answer;
        let body = SlowBody { server: server.clone(), connection: body, is_free: Duration::ZERO, sent_bytes: 0, fault };
        Ok(Answer { first, total_bytes, validator, sha256, body })
    }

    async fn pause(&self, duration: Duration) -> bool {
        self.server.clock.wait_until(self.server.clock.now.get() + duration).await;
        self.client.pause(duration).await
    }

    fn now(&self) -> Instant {
        self.server.clock.start + self.server.clock.now.get()
    }
}

/// Bytes on their way.
pub(crate) struct SlowBody {
    server: Rc<SlowServer>,
    connection: Connection,
    is_free: Duration,
    sent_bytes: u64,
    fault: Option<Fault>,
}

impl Body for SlowBody {
    async fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<(), Failure> {
        self.server.aborted()?;
        let SlowServer { server, clock, .. } = &*self.server;
        let lost = |what| Failure { error: Error::new(ErrorKind::Network, what), retry: Retry::Later };
        match self.fault.filter(|_| self.sent_bytes >= FAULT_OFFSET) {
            Some(Fault::ShortBody) => return Ok(()),
            Some(Fault::BreaksOff) => return Err(lost("the connection was lost")),
            Some(Fault::Stalls) => {
                clock.wait_until(clock.now.get() + STALL).await;
                return Err(lost("nothing came"));
            }
            Some(Fault::Aborted) => self.server.is_aborted.set(true),
            _ => {}
        }
        let bytes = limit.min(CHUNK_BYTES) as f64;
        let now = clock.now.get();
        self.is_free = self.is_free.max(now) + Duration::from_secs_f64(bytes / self.server.connection_rate);
        let line = self.server.line_is_free.get().max(now) + Duration::from_secs_f64(bytes / self.server.line_rate);
        self.server.line_is_free.set(line);
        clock.wait_until(self.is_free.max(line)).await;
        self.server.aborted()?;
        let before = server.sent_bytes.get();
        self.connection.read(buffer, limit).await?;
        self.sent_bytes += server.sent_bytes.get() - before;
        Ok(())
    }
}

impl Drop for SlowBody {
    fn drop(&mut self) {
        self.server.open_bodies.update(|open| open - 1);
    }
}
