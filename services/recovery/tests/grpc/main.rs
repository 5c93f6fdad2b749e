//! A real server between peers on real sockets.

#[cfg(test)]
mod campaigns;
#[cfg(test)]
mod commit;
#[cfg(test)]
mod decide;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod guarded;
#[cfg(test)]
mod offers;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod overtaken;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod recovering;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod start;
#[cfg(test)]
mod swap;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod world;
