// Reads what a server sends, by a socket with options as Rust programs set and read them.
use std::io::Read;
use std::net::TcpStream;

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).expect("an address");
    let mut stream = TcpStream::connect(address)?;
    println!("ttl {}", stream.ttl()?);
    stream.set_ttl(60)?;
    stream.set_nodelay(true)?;
    println!("ttl {}", stream.ttl()?);
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    print!("{text}");
    Ok(())
}
