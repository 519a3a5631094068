//! A TCP proxy that fails on request: what stands between the API and a server of a test, and what lets a test take the
//! network away, spoil it and give it back, without touching the server.

use crate::testbed::free_port;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    runtime::Runtime,
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// A throttled stream comes in slices, one each so often.
const SLICE: Duration = Duration::from_millis(50);
const SLICES_PER_SECOND: usize = 20;

/// What the proxy does with connections, those that are open included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: bytes go through.
    None,
    /// Nobody listens, and open connections are closed: a server that was stopped.
    Refuse,
    /// Connections are accepted and reset: a server behind a firewall that says no, or one that crashes.
    Reset,
    /// Connections are accepted and nothing ever comes; what was sent is kept and arrives when the fault is lifted: a
    /// server that was suspended.
    Hang,
    /// As [`Fault::Hang`], but what was sent is lost, and the connections stay mute for ever: a cable that was pulled.
    HalfOpen,
    /// Each way, everything comes this much later and no faster than this.
    Slow {
        /// Added to each read.
        delay: Duration,
        /// At most, each way of each connection.
        bytes_per_second: usize,
    },
    /// Connections are closed after this many bytes of replies from now on (or from their start).
    Cut {
        /// Bytes that still get through.
        after: usize,
    },
}

/// A proxy on a port of its own of loopback. It runs on threads of its own, so that a test that blocks holds up nothing;
/// it ends, with its connections, when dropped.
pub(crate) struct Proxy {
    port: u16,
    orders: Arc<watch::Sender<Order>>,
    /// The number of the last order that the listener obeys.
    obeyed: watch::Receiver<usize>,
    counts: Arc<Counts>,
    listening: AbortHandle,
}

/// A fault that comes and goes by itself until this is dropped; then it stays as it is at that moment.
pub(crate) struct Flapping(AbortHandle);

#[derive(Clone, Copy)]
struct Order {
    number: usize,
    fault: Fault,
    target: u16,
    /// Connections of an earlier epoch are closed.
    epoch: usize,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    open: AtomicUsize,
}

/// One for all proxies, never shut down: tests end with the process.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("proxy")
            .enable_all()
            .build()
            .expect("the machine has threads")
    })
}

impl Proxy {
    /// A proxy to this port of loopback, without a fault.
    pub(crate) async fn start(target: u16) -> Self {
        Self::start_with(target, Fault::None).await
    }

    /// A proxy that fails from the start.
    pub(crate) async fn start_with(target: u16, fault: Fault) -> Self {
        let port = free_port();
        let order = Order {
            number: 1,
            fault,
            target,
            epoch: 0,
        };
        let (orders, receiver) = watch::channel(order);
        let (obey, obeyed) = watch::channel(0);
        let counts = Arc::new(Counts::default());
        let listening = runtime().spawn(listen(port, receiver, obey, Arc::clone(&counts)));
        let mut proxy = Self {
            port,
            orders: Arc::new(orders),
            obeyed,
            counts,
            listening: listening.abort_handle(),
        };
        proxy.obeyed().await;
        proxy
    }

    /// Where it listens, as soon as no fault keeps it from listening.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Fails like this from now on. When it returns, new connections meet the fault.
    pub(crate) async fn set(&mut self, fault: Fault) {
        self.orders.send_modify(|order| order.turn_to(fault));
        self.obeyed().await;
    }

    /// No fault any more.
    pub(crate) async fn heal(&mut self) {
        self.set(Fault::None).await;
    }

    /// Leads to another port, as a name or an address does after a failover. Open connections are reset.
    pub(crate) async fn retarget(&mut self, target: u16) {
        self.orders.send_modify(|order| {
            order.number += 1;
            order.target = target;
            order.epoch += 1;
        });
        self.obeyed().await;
    }

    /// Lets the fault come and go: `half` of a period each, beginning with the fault.
    pub(crate) fn flap(&self, fault: Fault, half: Duration) -> Flapping {
        let orders = Arc::clone(&self.orders);
        let task = runtime().spawn(async move {
            let mut beat = tokio::time::interval(half);
            for turn in [fault, Fault::None].into_iter().cycle() {
                beat.tick().await;
                orders.send_modify(|order| order.turn_to(turn));
            }
        });
        Flapping(task.abort_handle())
    }

    /// Connections accepted so far, those that were reset included.
    pub(crate) fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::Acquire)
    }

    /// Connections open now.
    pub(crate) fn open(&self) -> usize {
        self.counts.open.load(Ordering::Acquire)
    }

    async fn obeyed(&mut self) {
        let number = self.orders.borrow().number;
        self.obeyed
            .wait_for(|obeyed| *obeyed >= number)
            .await
            .expect("the proxy listens as long as it exists");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Drop for Flapping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Order {
    fn turn_to(&mut self, fault: Fault) {
        self.number += 1;
        self.fault = fault;
        if matches!(fault, Fault::Refuse | Fault::Reset) {
            self.epoch += 1;
        }
    }
}

/// Listens whenever the orders allow it. The connections end with this task.
async fn listen(
    port: u16,
    mut orders: watch::Receiver<Order>,
    obey: watch::Sender<usize>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    let mut listener = None;
    loop {
        let order = *orders.borrow_and_update();
        if order.fault == Fault::Refuse {
            listener = None;
        } else if listener.is_none() {
            listener = Some(bind(port).await);
        }
        obey.send_replace(order.number);
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            Ok((client, _)) = accepted => {
                counts.accepted.fetch_add(1, Ordering::AcqRel);
                let order = *orders.borrow();
                if order.fault == Fault::Reset {
                    reset(client);
                } else {
                    let open = Open::count(Arc::clone(&counts));
                    let orders = orders.clone();
                    connections.spawn(async move {
                        let _open = open;
                        relay(client, order, orders).await;
                    });
                }
            }
        }
    }
}

/// The port is ours: it was free, and nothing else is given it. What lingers on it goes in a moment.
async fn bind(port: u16) -> TcpListener {
    for _ in 0..500 {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("port {port} was given to the proxy and is taken");
}

struct Open(Arc<Counts>);

impl Open {
    fn count(counts: Arc<Counts>) -> Self {
        counts.open.fetch_add(1, Ordering::AcqRel);
        Self(counts)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Closes a connection the hard way.
fn reset(stream: TcpStream) {
    _ = stream.set_zero_linger();
    drop(stream);
}

/// One connection from its start to its end.
async fn relay(mut client: TcpStream, start: Order, mut orders: watch::Receiver<Order>) {
    // A server behind a proxy that hangs is not asked before there is something to give it.
    let unspoilt = |order: &Order| order.epoch != start.epoch || order.fault != Fault::Hang;
    let Ok(order) = orders.wait_for(unspoilt).await.map(|order| *order) else {
        return;
    };
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, order.target));
    let mut server = match TcpStream::connect(target).await {
        Ok(server) if order.epoch == start.epoch => server,
        _ => return reset(client),
    };
    _ = (client.set_nodelay(true), server.set_nodelay(true));
    let hard = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let requests = pump(from_client, to_server, orders.clone(), false);
        let replies = pump(from_server, to_client, orders.clone(), true);
        tokio::select! {
            _ = async { tokio::try_join!(requests, replies) } => false,
            order = orders.wait_for(|order| order.epoch != start.epoch) => {
                order.is_ok_and(|order| order.fault != Fault::Refuse)
            }
        }
    };
    if hard {
        reset(client);
        reset(server);
    }
}

/// One direction of a connection. An error is its end, and the other direction's.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut orders: watch::Receiver<Order>,
    replies: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut deaf = false;
    // Bytes that got through since the order that is obeyed.
    let (mut passed, mut counted) = (0, 0);
    loop {
        let length = tokio::select! {
            biased;
            changed = orders.wait_for(|order| order.fault == Fault::HalfOpen), if !deaf => {
                changed.map_err(io::Error::other)?;
                deaf = true;
                continue;
            }
            length = from.read(&mut buffer) => length?,
        };
        let order = *orders
            .wait_for(|order| order.fault != Fault::Hang || deaf)
            .await
            .map_err(io::Error::other)?;
        deaf |= order.fault == Fault::HalfOpen;
        if length == 0 {
            // The end of a stream says something too: it is not told either.
            return if deaf {
                std::future::pending().await
            } else {
                to.shutdown().await
            };
        }
        if deaf {
            continue;
        }
        if counted != order.number {
            (counted, passed) = (order.number, 0);
        }
        let mut bytes = buffer.get(..length).expect("read says how much it read");
        match order.fault {
            Fault::Slow {
                delay,
                bytes_per_second,
            } => {
                // Another order ends the wait: what is under way arrives as that one says.
                let mut pause = async |time| {
                    let other = orders.wait_for(|now| now.number != order.number);
                    tokio::time::timeout(time, other).await.is_ok()
                };
                let mut hurried = pause(delay).await;
                for slice in bytes.chunks(bytes_per_second.div_ceil(SLICES_PER_SECOND)) {
                    to.write_all(slice).await?;
                    hurried = hurried || pause(SLICE).await;
                }
                continue;
            }
            Fault::Cut { after } if replies => {
                bytes = bytes.get(..after.saturating_sub(passed)).unwrap_or(bytes);
            }
            _ => {}
        }
        to.write_all(bytes).await?;
        passed += bytes.len();
        if replies && matches!(order.fault, Fault::Cut { after } if passed >= after) {
            to.shutdown().await?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
}
