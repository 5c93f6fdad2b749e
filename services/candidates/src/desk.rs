//! A thread that owns something and does one thing after another with it.

use generations::loader::lower_priority;
use tokio::sync::mpsc;

/// A quarter of a core when there is much to do: filling the gate of a million items takes a while,
/// and a change is to be seen within a second.
const NICE: i32 = 5;
/// Messages that wait for the thread before whoever reads a stream waits too.
const AHEAD: usize = 8;

/// Starts one, which takes message after message and ends with the last sender.
pub(crate) fn start<M: Send + 'static>(
    name: &str,
    mut take: impl FnMut(M) + Send + 'static,
) -> std::io::Result<mpsc::Sender<M>> {
    let (sender, mut messages) = mpsc::channel(AHEAD);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            lower_priority(NICE);
            while let Some(message) = messages.blocking_recv() {
                take(message);
            }
        })?;
    Ok(sender)
}
