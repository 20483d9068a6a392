//! Rewrites the committed `mean.h`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = mean_contract::header_path();
    std::fs::write(&path, mean_contract::render()?)?;
    println!("wrote {}", path.display());
    Ok(())
}
