package procfs

import "golang.org/x/sys/unix"

// Place is what became of the file of a UNIX socket.
type Place int

const (
	PlaceUnknown Place = iota
	PlaceKept          // it is there
	PlaceGone          // nothing is there
	PlaceTaken         // something else is there
)

// placeOf compares the file that is at the path with the one that bind(2) made.
// File systems that give another device number to stat(2) than the kernel uses
// itself cannot be compared.
func placeOf(pid int, s *SocketInfo, all []SocketInfo) (what Place, successor uint64) {
	if !s.IsUnix() || s.Name == "" || s.Name[0] == '@' {
		return PlaceUnknown, 0
	}
	dev, inode, err := fileAt(pid, s.Name)
	switch absolute := s.Name[0] == '/'; {
	case err == unix.ENOENT && absolute:
		return PlaceGone, 0
	case err != nil || s.FileInode == 0 || dev != s.FileDev:
		return PlaceUnknown, 0
	case s.hasFile(dev, inode):
		return PlaceKept, 0
	case !absolute:
		return PlaceUnknown, 0 // bind(2) may have been called in another folder
	}
	for i := range all {
		if o := &all[i]; o.hasFile(dev, inode) && o.receives() {
			return PlaceTaken, o.Inode
		}
	}
	return PlaceTaken, 0
}

// hasFile reports whether bind(2) made this file for the socket.
func (s *SocketInfo) hasFile(dev, inode uint64) bool {
	return s.FileInode != 0 && s.FileDev == dev && uint32(s.FileInode) == uint32(inode)
}

// receives reports whether the socket itself gets what is sent to its address.
// The accepted end of a connection has the address of its listener too.
func (s *SocketInfo) receives() bool { return s.Listening || s.Type == unix.SOCK_DGRAM }

// fileAt finds a file as the process would.
func fileAt(pid int, path string) (dev, inode uint64, err error) {
	base := procPath(pid, "root") + "/"
	if path[0] != '/' {
		base = procPath(pid, "cwd") + "/"
	}
	var st unix.Stat_t
	err = unix.Stat(base+path, &st)
	return uint64(st.Dev), st.Ino, err
}
