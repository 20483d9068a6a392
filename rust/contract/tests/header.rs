//! The committed header is the rendered one.

use mean_contract::{header_path, render};

#[test]
fn the_committed_header_is_current() {
    let committed = std::fs::read_to_string(header_path()).unwrap();
    let rendered = render().unwrap();
    assert!(committed == rendered, "mean.h is stale: run `make header` and commit the result");
}
