use super::*;

fn read(text: &str) -> Result<Memory, Fault> {
    Memory::read(Some(text))
}

#[test]
fn nothing_heard_is_written_in_two_characters() {
    let nothing = Memory::read(None).expect("a memory");
    let text = nothing.write().expect("JSON");
    assert_eq!(text, r#"{"e":{}}"#);
    assert_eq!(read(&text).expect("a memory").total(), 0);
}

#[test]
fn what_is_written_is_read_again() {
    let text = concat!(
        r#"{"e":{"n":3,"p":2,"w":["2026-11-09"]},"u":1795000000000000,"b":4,"i":2,"#,
        r#""x":[{"k":1,"o":2,"w":["2026-11-16"],"s":{}},{"b":2,"v":3,"h":"2026-11-14","s":null}]}"#
    );
    let memory = read(text).expect("a memory");
    assert_eq!(memory.write().as_deref(), Ok(text));
    assert_eq!((memory.total(), memory.settled()), (5, 3));
    assert_eq!(memory.windows().len(), 1);
}

#[test]
fn the_instant_from_which_nothing_counts_is_kept_to_the_microsecond() {
    let mut memory = Memory::default();
    assert_eq!(memory.stopped_from(), None);
    let instant = DateTime::from_timestamp_micros(1_795_000_000_123_456);
    memory.stop_from(instant);
    let memory = read(&memory.write().expect("JSON")).expect("a memory");
    assert_eq!(memory.stopped_from(), instant);
}

#[test]
fn what_an_edit_leaves_without_effect_is_not_counted_twice() {
    let mut memory = read(r#"{"e":{"n":1},"x":[{"k":4,"s":null}]}"#).expect("a memory");
    memory.drop_excess(0);
    memory.drop_excess(0);
    assert_eq!((memory.total(), memory.idle), (1, 3));
    memory.epochs.clear();
    memory.drop_excess(4);
    assert_eq!(memory.idle, 3);
}

#[test]
fn a_memory_that_contradicts_itself_is_a_fault() {
    for broken in [
        r#"{"e":{"n":1,"w":["2026-11-16"]}}"#,
        r#"{"e":{"n":1,"p":2}}"#,
        r#"{"e":{"n":1,"p":1,"w":["2026-11-16"]},"x":[{"w":["2026-11-09"],"s":null}]}"#,
        r#"{"e":{},"x":[{"b":2,"s":null}]}"#,
        r#"{"e":{},"x":[{"b":2,"v":2,"s":null},{"s":null}]}"#,
        r#"{"e":{},"x":[{"s":null},{"s":null}]}"#,
    ] {
        assert_eq!(read(broken).err(), Some(Fault::UnsoundProgress), "{broken}");
    }
    for unreadable in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        r#"{"e":{},"y":1}"#,
        r#"{"e":{},"x":[{}]}"#,
        r#"{"e":{},"b":-1}"#,
    ] {
        let fault = read(unreadable).err();
        assert!(
            matches!(fault, Some(Fault::UnreadableProgress { .. })),
            "{unreadable}"
        );
    }
}
