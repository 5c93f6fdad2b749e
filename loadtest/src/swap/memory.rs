//! What the servers hold in memory, as their admin ports say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_millis(200);
const RESIDENT: &str = "cartwright_process_resident_bytes ";

/// Resident memory of all servers together, in MiB; 0 without admin ports.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Resident {
    /// Before the first swap.
    pub(crate) steady: f64,
    /// The most.
    pub(crate) peak: f64,
    /// After the last.
    pub(crate) after: f64,
}

#[derive(Debug, Default)]
struct Readings {
    now: f64,
    resident: Resident,
}

/// Reads the memory all the time.
#[derive(Debug)]
pub(crate) struct Memory {
    readings: Arc<Mutex<Readings>>,
    reader: JoinHandle<()>,
}

impl Memory {
    pub(crate) fn watch(admin: &[String]) -> Self {
        let readings = Arc::<Mutex<Readings>>::default();
        let (written, admin) = (readings.clone(), admin.to_vec());
        let reader = tokio::spawn(async move {
            while !admin.is_empty() {
                let mut sum = 0.0;
                for url in &admin {
                    sum += resident(url).await.unwrap_or_default();
                }
                {
                    let mut readings = lock(&written);
                    readings.now = sum;
                    readings.resident.peak = readings.resident.peak.max(sum);
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { readings, reader }
    }

    pub(crate) fn is_steady(&self) {
        let mut readings = lock(&self.readings);
        readings.resident.steady = readings.now;
    }

    pub(crate) fn is_over(&self) {
        let mut readings = lock(&self.readings);
        readings.resident.after = readings.now;
    }

    pub(crate) fn read(self) -> Resident {
        self.reader.abort();
        lock(&self.readings).resident
    }
}

fn lock(readings: &Mutex<Readings>) -> MutexGuard<'_, Readings> {
    readings.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In MiB.
async fn resident(url: &str) -> Option<f64> {
    let host = url.strip_prefix("http://")?;
    let mut socket = TcpStream::connect(host).await.ok()?;
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.ok()?;
    let mut page = String::new();
    socket.read_to_string(&mut page).await.ok()?;
    of_page(&page)
}

fn of_page(page: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(RESIDENT))?;
    let bytes: f64 = line.trim().parse().ok()?;
    Some(bytes / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_read_off_the_page() {
        let page = "# TYPE x gauge\ncartwright_process_resident_bytes 10485760\n";
        assert_eq!(of_page(page), Some(10.0));
        assert_eq!(of_page("nothing"), None);
    }
}
