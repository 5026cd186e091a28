//! What names a file on its disk, by whatever path it is reached.

use std::fs::File;
use std::io;
use std::path::Path;

/// The disk, and the file on it. No other file of the disk has it while this one is open.
pub(crate) type FileId = (u64, u64);

#[cfg(unix)]
pub(crate) fn file_id(file: &File) -> io::Result<FileId> {
    file.metadata().map(|about| of(&about))
}

/// Returns the id of the file or the link at a path.
#[cfg(unix)]
pub(crate) fn file_id_at(path: &Path) -> io::Result<FileId> {
    std::fs::symlink_metadata(path).map(|about| of(&about))
}

#[cfg(unix)]
fn of(about: &std::fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;
    (about.dev(), about.ino())
}

#[cfg(windows)]
pub(crate) fn file_id(file: &File) -> io::Result<FileId> {
    use std::os::windows::io::AsRawHandle;

    /// `BY_HANDLE_FILE_INFORMATION`: fields of 32 bits.
    type Information = [u32; 13];
    const MADE_LOW: usize = 1;
    const MADE_HIGH: usize = 2;
    const VOLUME: usize = 7;
    const INDEX_HIGH: usize = 11;
    const INDEX_LOW: usize = 12;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetFileInformationByHandle(file: *mut core::ffi::c_void, information: *mut Information) -> i32;
    }
    let mut information: Information = [0; 13];
    // SAFETY: the handle is open, and the memory has the size that is written.
    if unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut information) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let long = |high: usize, low: usize| u64::from(information[high]) << 32 | u64::from(information[low]);
    let index = match long(INDEX_HIGH, INDEX_LOW) {
        // The file system has none of 64 bits, as some network drives and large ReFS volumes. The
        // time at which the file was made is the next best.
        0 | u64::MAX => long(MADE_HIGH, MADE_LOW),
        index => index,
    };
    Ok((information[VOLUME].into(), index))
}

/// Returns the id of the file or the link at a path. It also works for a file that is not shared.
#[cfg(windows)]
pub(crate) fn file_id_at(path: &Path) -> io::Result<FileId> {
    use std::os::windows::fs::OpenOptionsExt;

    const NO_ACCESS: u32 = 0;
    const SHARED_WITH_ALL: u32 = 0x7;
    const THE_LINK_ITSELF: u32 = 0x0020_0000;
    const FOLDERS_TOO: u32 = 0x0200_0000;

    let mut options = std::fs::OpenOptions::new();
    options.access_mode(NO_ACCESS).share_mode(SHARED_WITH_ALL).custom_flags(THE_LINK_ITSELF | FOLDERS_TOO);
    file_id(&options.open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_that_of_the_file_and_not_of_the_path() {
        let folder = tempfile::tempdir().unwrap();
        // Made at the same moment.
        let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
        let files = paths.each_ref().map(|path| File::create(path).unwrap());
        let ids = files.each_ref().map(|file| file_id(file).unwrap());
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(paths.each_ref().map(|path| file_id_at(path).unwrap()), ids);
        files[0].set_len(9).unwrap();
        assert_eq!(file_id_at(&paths[0]).unwrap(), ids[0]);
        drop(files);
        let moved = folder.path().join("moved");
        std::fs::rename(&paths[0], &moved).unwrap();
        assert_eq!(file_id_at(&moved).unwrap(), ids[0]);
        assert_eq!(file_id_at(&paths[0]).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(file_id_at(folder.path()).is_ok());
    }
}
