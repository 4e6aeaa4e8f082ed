//! Pages of registries, kept for a moment: both trees of a wargame ask for the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use url::Url;

use super::client::Page;

/// How long a page may be relied on.
const LASTS: Duration = Duration::from_secs(120);
/// The most that are kept, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// The pages of a registry that were fetched last.
#[derive(Debug, Default)]
pub(super) struct Pages {
    kept: Mutex<HashMap<Url, (Instant, Arc<Page>)>>,
}

impl Pages {
    pub(super) fn get(&self, url: &Url) -> Option<Arc<Page>> {
        let kept = self.kept.lock();
        let (at, page) = kept.get(url)?;
        (at.elapsed() < LASTS).then(|| Arc::clone(page))
    }

    /// Keeps a page and returns it; all others go where there is no room for it.
    pub(super) fn keep(&self, url: Url, page: Page) -> Arc<Page> {
        let page = Arc::new(page);
        let mut kept = self.kept.lock();
        kept.retain(|_, (at, _)| at.elapsed() < LASTS);
        let bytes: usize = kept.values().map(|(_, page)| page.bytes.len()).sum();
        if bytes + page.bytes.len() > MAX_BYTES {
            kept.clear();
        }
        kept.insert(url, (Instant::now(), Arc::clone(&page)));
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let pages = Pages::default();
        let url = |n: usize| Url::parse(&format!("http://h/{n}")).unwrap();
        for n in 0..5 {
            let page = Page {
                kind: String::new(),
                url: url(n),
                bytes: vec![0; MAX_BYTES / 4],
            };
            pages.keep(url(n), page);
            assert!(pages.get(&url(n)).is_some());
        }
        assert!(pages.get(&url(0)).is_none());
    }
}
