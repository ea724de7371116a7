package procfs

import "golang.org/x/sys/unix"

// pollWait is the function in which a goroutine waits in the poller for its
// descriptor. Its arguments are the runtime's record of the descriptor, and
// the mode, 'r' or 'w'.
const pollWait = "internal/poll.runtime_pollWait"

// PolledBy returns the descriptor that a goroutine in "IO wait" waits for, nil
// if it is not known, and the mode.
//
// The runtime gives the kernel the address of its record, packed with a tag,
// as the epoll's data, and the kernel shows that in fdinfo. How it is packed
// is the runtime's own business (runtime/tagptr_64bit.go) and has changed
// before; so the packings that are known are tried, and a descriptor counts
// only if exactly one fits.
func (p *Process) PolledBy(g *Goroutine) (f *File, mode byte) {
	record, mode := uint64(0), byte(0)
	for _, frame := range g.Frames {
		if frame.Func == pollWait {
			record, _ = frame.Arg(0)
			m, _ := frame.Arg(1)
			mode = byte(m)
		}
	}
	fits := p.Epolled(func(w Watched, _ *File) bool { return record != 0 && unpacks(w.Data, record) })
	if len(fits) == 1 {
		return p.inside(fits[0], mode)
	}
	// Where the packing is new to us there is still hope if only one pipe, in
	// that direction, is watched at all.
	fits = p.Epolled(func(_ Watched, f *File) bool {
		return f.IsPipe() && (mode == 'r' && f.Reads() || mode == 'w' && f.Writes())
	})
	if len(fits) == 1 {
		return fits[0], mode
	}
	return nil, mode
}

// inside follows an epoll instance that a program has of its own: who waits until that is
// ready waits for what is in it, if that is one descriptor.
func (p *Process) inside(f *File, mode byte) (*File, byte) {
	if len(f.Watched) != 1 {
		return f, mode
	}
	watched := f.Watched[0]
	in := p.File(watched.FD)
	switch {
	case in == nil:
		return f, mode
	case watched.Events&(unix.EPOLLIN|unix.EPOLLOUT) == unix.EPOLLOUT:
		return in, 'w'
	}
	return in, 'r'
}

// packings are the ways in which the runtime packs an address: it shifts it
// left and puts a tag, which counts how often the record was used, into the low
// bits. Address and tag do not overlap, since records are aligned.
var packings = []struct{ shift, tag int }{
	{0, 0},   // until Go 1.20
	{16, 19}, // addresses of 48 bits, aligned to 8
	{15, 18}, // addresses of 49 bits, aligned to 8
	{15, 24}, // Go 1.26: 49 bits, aligned to 512
}

// unpacks reports whether data is the packed address of record.
func unpacks(data, record uint64) bool {
	for _, p := range packings {
		if data>>p.tag == record<<p.shift>>p.tag {
			return true
		}
	}
	return false
}

// Epolled returns the files that the process's epolls watch and that fit.
func (p *Process) Epolled(fits func(Watched, *File) bool) []*File {
	var files []*File
	for _, epoll := range p.Files {
		for _, w := range epoll.Watched {
			if f := p.File(w.FD); f != nil && fits(w, f) {
				files = append(files, f)
			}
		}
	}
	return files
}
