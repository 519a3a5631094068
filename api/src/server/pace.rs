//! How far each connection has come, and since when. One task looks at all of them now and then and ends those whose
//! client is late: a request costs no timer, only a few marks in memory that its connection alone writes.

use crate::metrics::{CutReason, Metrics};
use futures::task::AtomicWaker;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::Waker,
    time::Duration,
};
use tokio::{
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval},
};

/// How long a client may take for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// To send the first request's head, or the rest of one it began.
    pub(super) head: Duration,
    /// To read what it was sent.
    pub(super) write: Duration,
    /// For one request, from its head to its answer's last byte handed over.
    pub(super) request: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
}

impl Limits {
    /// How often to look: often enough that nobody gets much more than the limit.
    fn interval(self) -> Duration {
        (self.head / 20).clamp(Duration::from_millis(50), Duration::from_millis(500))
    }
}

/// What to do with a connection.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    /// Nothing has happened for long: end it when it is between requests.
    Close,
    Cut(CutReason),
}

/// The pace of one connection. Times are those of the last look, in milliseconds: late by an interval at most.
pub(super) struct Pace {
    clock: Arc<AtomicU64>,
    /// When the present phase began.
    since: AtomicU64,
    /// Requests that were taken and whose answer is not handed over yet.
    in_flight: AtomicU32,
    /// A head is awaited, or a part of it is there.
    reading: AtomicBool,
    /// Since when the client has not read all it was sent; 0 when it has.
    blocked: AtomicU64,
    /// A request's body was not read to its end. In HTTP/1.1 it is the last request's; in HTTP/2 it says nothing.
    unread: AtomicBool,
    /// Bytes that come between requests are the beginning of a head; not so in HTTP/2.
    multiplexed: AtomicBool,
    stopping: AtomicBool,
    /// It was cut; its task may take a moment to notice.
    cut: AtomicBool,
    waker: AtomicWaker,
    task: OnceLock<AbortHandle>,
}

impl Pace {
    fn new(clock: Arc<AtomicU64>) -> Self {
        Self {
            since: AtomicU64::new(clock.load(Relaxed)),
            clock,
            in_flight: AtomicU32::new(0),
            reading: AtomicBool::new(true),
            blocked: AtomicU64::new(0),
            unread: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            task: OnceLock::new(),
        }
    }

    fn now(&self) -> u64 {
        self.clock.load(Relaxed)
    }

    /// Bytes came.
    pub(super) fn read(&self) {
        if self.in_flight.load(Relaxed) == 0
            && !self.multiplexed.load(Relaxed)
            && !self.reading.load(Relaxed)
        {
            self.reading.store(true, Relaxed);
            self.since.store(self.now(), Relaxed);
        }
    }

    /// The client took less than it was sent.
    pub(super) fn blocked(&self) {
        if self.blocked.load(Relaxed) == 0 {
            self.blocked.store(self.now().max(1), Relaxed);
        }
    }

    /// The client took everything. Not at each step, or one byte a second would do.
    pub(super) fn flushed(&self) {
        if self.blocked.load(Relaxed) != 0 {
            self.blocked.store(0, Relaxed);
        }
    }

    /// The client speaks HTTP/2.
    pub(super) fn multiplexes(&self) {
        self.multiplexed.store(true, Relaxed);
    }

    /// A request is there; it ends when the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.since.store(self.now(), Relaxed);
        self.reading.store(false, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// The request that was taken has a body.
    pub(super) fn body_begins(&self) {
        self.unread.store(true, Relaxed);
    }

    /// That body was read to its end.
    pub(super) fn body_ended(&self) {
        self.unread.store(false, Relaxed);
    }

    /// Whether the client may still be sending the body of a request that is answered, or will be.
    pub(super) fn left_unread(&self) -> bool {
        self.unread.load(Relaxed)
    }

    /// Whether the client began a head and has not ended it, or not with one that can be read.
    pub(super) fn left_unparsed(&self) -> bool {
        self.reading.load(Relaxed)
    }

    /// Whether the connection should end when it can. Whoever asks is woken when that changes.
    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Acquire)
    }

    /// Whom to wake.
    pub(super) fn woken_by(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    fn stop(&self) {
        if !self.stopping.swap(true, Release) {
            self.waker.wake();
        }
    }

    fn verdict(&self, now: u64, limits: &Limits) -> Verdict {
        // A mark may be as old as the look before it was made.
        let slack = limits.interval();
        let late = |since: u64, limit: Duration| {
            Duration::from_millis(now.saturating_sub(since)) > limit + slack
        };
        let since = self.since.load(Relaxed);
        let blocked = self.blocked.load(Relaxed);
        if blocked != 0 && late(blocked, limits.write) {
            Verdict::Cut(CutReason::Write)
        } else if self.in_flight.load(Relaxed) > 0 {
            if late(since, limits.request) {
                Verdict::Cut(CutReason::Request)
            } else {
                Verdict::Keep
            }
        } else if self.reading.load(Relaxed) && late(since, limits.head) {
            Verdict::Cut(CutReason::Head)
        } else if late(since, limits.idle + limits.head) {
            // It was asked to end and does not.
            Verdict::Cut(CutReason::Head)
        } else if late(since, limits.idle) {
            Verdict::Close
        } else {
            Verdict::Keep
        }
    }
}

/// A request on a connection.
pub(super) struct InFlight(Arc<Pace>);

impl InFlight {
    /// That of its connection.
    pub(super) fn pace(&self) -> &Arc<Pace> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.since.store(self.0.now(), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// All open connections.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    limits: Limits,
    metrics: Metrics,
    /// The time of the last look, in milliseconds during which this process ran: see [`Connections::pass`].
    clock: Arc<AtomicU64>,
    open: Mutex<(u64, HashMap<u64, Arc<Pace>>)>,
}

impl Connections {
    pub(super) fn new(limits: Limits, metrics: Metrics) -> Self {
        Self(Arc::new(Inner {
            limits,
            metrics,
            clock: Arc::default(),
            open: Mutex::default(),
        }))
    }

    /// Adds a connection, which leaves when the membership is dropped.
    pub(super) fn join(&self) -> Membership {
        let pace = Arc::new(Pace::new(Arc::clone(&self.0.clock)));
        let mut open = self.open();
        open.0 += 1;
        let number = open.0;
        open.1.insert(number, Arc::clone(&pace));
        self.0.metrics.connection_opened();
        Membership {
            connections: self.clone(),
            number,
            pace,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.open().1.len()
    }

    /// Asks all to end when they can.
    pub(super) fn stop(&self) {
        for pace in self.all() {
            pace.stop();
        }
    }

    /// Ends all.
    pub(super) fn cut(&self) {
        for pace in self.all() {
            self.cut_one(&pace, CutReason::Drain);
        }
    }

    /// Looks at all, again and again. Never ends.
    pub(super) async fn watch(&self) {
        let mut ticks = interval(self.0.limits.interval());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            ticks.tick().await;
            let now = Instant::now();
            self.look(self.pass(now - last));
            last = now;
        }
    }

    /// Moves the clock on, by two looks at most. A process that was stopped or starved has not watched its clients: to
    /// those it took up just before a look, the whole pause would seem to be their own delay.
    fn pass(&self, time: Duration) -> u64 {
        let time = time.min(self.0.limits.interval() * 2);
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0.clock.fetch_add(time, Relaxed) + time
    }

    fn look(&self, now: u64) {
        let late: Vec<_> = self
            .open()
            .1
            .values()
            .map(|pace| (pace.verdict(now, &self.0.limits), pace))
            .filter(|(verdict, _)| *verdict != Verdict::Keep)
            .map(|(verdict, pace)| (verdict, Arc::clone(pace)))
            .collect();
        for (verdict, pace) in late {
            match verdict {
                Verdict::Keep => {}
                Verdict::Close => pace.stop(),
                Verdict::Cut(reason) => self.cut_one(&pace, reason),
            }
        }
    }

    fn cut_one(&self, pace: &Pace, reason: CutReason) {
        if let Some(task) = pace.task.get()
            && !pace.cut.swap(true, Relaxed)
        {
            tracing::debug!(reason = reason.label(), "connection cut");
            self.0.metrics.connection_cut(reason);
            task.abort();
        }
    }

    fn all(&self) -> Vec<Arc<Pace>> {
        self.open().1.values().cloned().collect()
    }

    fn open(&self) -> MutexGuard<'_, (u64, HashMap<u64, Arc<Pace>>)> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among the open ones.
pub(super) struct Membership {
    connections: Connections,
    number: u64,
    pace: Arc<Pace>,
}

impl Membership {
    pub(super) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// The task that a cut ends.
    pub(super) fn task(pace: &Pace, handle: AbortHandle) {
        _ = pace.task.set(handle);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.connections.open().1.remove(&self.number);
        self.connections.0.metrics.connection_closed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        head: Duration::from_secs(10),
        write: Duration::from_secs(30),
        request: Duration::from_secs(50),
        idle: Duration::from_mins(2),
    };

    fn connection() -> (Arc<AtomicU64>, Arc<Pace>) {
        let clock = Arc::<AtomicU64>::default();
        (Arc::clone(&clock), Arc::new(Pace::new(clock)))
    }

    fn after(pace: &Pace, seconds: u64) -> Verdict {
        pace.verdict(pace.now() + seconds * 1000, &LIMITS)
    }

    #[test]
    fn a_pause_of_the_process_is_no_delay_of_its_clients() {
        let connections = Connections::new(LIMITS, Metrics::new());
        let membership = connections.join();
        let verdict = |time| {
            let now = connections.pass(time);
            membership.pace().verdict(now, &LIMITS)
        };
        assert_eq!(verdict(Duration::from_hours(1)), Verdict::Keep);
        let looks = (0..).take_while(|_| verdict(LIMITS.interval()) == Verdict::Keep);
        let watched = LIMITS.interval() * looks.count().try_into().unwrap();
        assert!(
            watched + LIMITS.interval() * 3 > LIMITS.head && watched < LIMITS.head * 2,
            "a silent client was cut after {watched:?}"
        );
    }

    #[test]
    fn a_silent_client_and_one_that_trickles_a_head_are_cut_after_the_same_time() {
        let (clock, pace) = connection();
        assert_eq!(after(&pace, 10), Verdict::Keep);
        assert_eq!(after(&pace, 11), Verdict::Cut(CutReason::Head));
        for second in 1..=9 {
            clock.store(second * 1000, Relaxed);
            pace.read();
        }
        assert_eq!(after(&pace, 2), Verdict::Cut(CutReason::Head));
    }

    #[test]
    fn between_requests_a_client_may_be_idle_until_it_begins_the_next_one() {
        let (_, pace) = connection();
        drop(pace.begin());
        assert_eq!(after(&pace, 120), Verdict::Keep);
        assert_eq!(after(&pace, 121), Verdict::Close);
        assert_eq!(after(&pace, 131), Verdict::Cut(CutReason::Head));
        pace.read();
        assert_eq!(after(&pace, 11), Verdict::Cut(CutReason::Head));
    }

    #[test]
    fn bytes_between_requests_begin_no_head_in_http_2() {
        let (_, pace) = connection();
        pace.multiplexes();
        assert_eq!(after(&pace, 11), Verdict::Cut(CutReason::Head));
        drop(pace.begin());
        pace.read();
        assert_eq!(after(&pace, 120), Verdict::Keep);
    }

    #[test]
    fn a_request_has_its_own_time_and_each_new_one_gives_more() {
        let (clock, pace) = connection();
        let first = pace.begin();
        assert_eq!(after(&pace, 50), Verdict::Keep);
        assert_eq!(after(&pace, 51), Verdict::Cut(CutReason::Request));
        clock.store(49_000, Relaxed);
        let second = pace.begin();
        assert_eq!(after(&pace, 50), Verdict::Keep);
        drop((first, second));
        assert_eq!(after(&pace, 51), Verdict::Keep);
    }

    #[test]
    fn a_client_that_reads_a_little_is_as_late_as_one_that_reads_nothing() {
        let (clock, pace) = connection();
        drop(pace.begin());
        pace.blocked();
        clock.store(29_000, Relaxed);
        pace.blocked();
        assert_eq!(after(&pace, 1), Verdict::Keep);
        assert_eq!(after(&pace, 2), Verdict::Cut(CutReason::Write));
        pace.flushed();
        assert_eq!(after(&pace, 2), Verdict::Keep);
    }
}
