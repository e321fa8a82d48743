//! The sources as the rules see them.

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use super::code::Code;

/// Every text file of the repository.
pub struct Tree {
    pub files: Vec<File>,
}

/// One file, by its path from the root with forward slashes.
pub struct File {
    pub path: String,
    pub text: String,
    code: OnceCell<Code>,
}

impl Tree {
    /// The repository this test belongs to.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the crate lies in the repository");
        let mut files = Vec::new();
        collect(root, root, &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }
}

/// Adds the text files below a folder. What cargo, npm and git keep for themselves is left out, and so is what is no text.
fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_symlink() || name == ".git" || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            if !path.join("CACHEDIR.TAG").exists() {
                collect(root, &path, files);
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let relative = path.strip_prefix(root).expect("the walk stays below the root");
            files.push(File::new(&relative.to_string_lossy().replace('\\', "/"), text));
        }
    }
}

impl File {
    pub fn new(path: &str, text: String) -> Self {
        Self {
            path: path.to_owned(),
            text,
            code: OnceCell::new(),
        }
    }

    pub fn is_rust(&self) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|extension| extension == "rs")
    }

    pub fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether the file is one of these, or lies in one of these folders (which end in a slash).
    pub fn is_in(&self, places: &[&str]) -> bool {
        places
            .iter()
            .any(|place| self.path == *place || (place.ends_with('/') && self.path.starts_with(place)))
    }

    /// Whether this is code of a test or benchmark binary.
    pub fn is_test_binary(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "benches")
    }

    /// What the file says in Rust.
    pub fn code(&self) -> &Code {
        self.code.get_or_init(|| Code::of(&self.text))
    }
}
