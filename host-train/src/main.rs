//! The program `derefnet`.

fn main() {
    let r = derefnet::eval::parity::parity(std::path::Path::new(&std::env::args().nth(1).unwrap())).unwrap();
    for t in &r.tensors { println!("{:50} {:.3e} {}", t.name, t.relative_l2, if t.pass() {""} else {"FAIL"}); }
    println!("{} {:?}", r.pass, r.worst);
}
