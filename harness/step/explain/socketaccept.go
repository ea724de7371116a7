package explain

import (
	"strconv"

	"ipcworkbook/harness/step/procfs"
)

// explainAccept says at which address a server listens, and where its clients
// are instead.
func (c *Case) explainAccept(w *wait, s *procfs.SocketInfo) (lines, advice []string) {
	line := "fd " + strconv.Itoa(w.fd) + " listens on " + s.Name + "."
	switch {
	case s.Waiting == 0:
		line += " No connection waits in its queue: nobody is connecting."
	case s.Waiting > 0:
		line += " " + oneOf(s.Waiting, "connection") + " can be accepted."
	default:
		line += " How many connections wait in its queue is not known."
	}
	here, elsewhere := c.clients(w, s)
	lines = append([]string{line}, c.placeLines(w, s)...)
	lines = append(lines, elsewhere...)
	lines = append(lines, here...)
	switch {
	case s.Place == procfs.PlaceGone || s.Place == procfs.PlaceTaken:
		advice = placeAdvice[s.Place]
	case len(elsewhere) > 0:
		advice = []string{
			"A client stays connected to whoever listened when it connected. Both must use the same address, and the",
			"server must be there first.",
		}
	case len(here) > 0:
		advice = []string{"A connection is accepted once. A second accept waits for a second client."}
	default:
		advice = []string{
			"accept waits until a client connects to this very address. Does one? If it tried before the server listened,",
			"its connect failed (ENOENT or ECONNREFUSED), and it has to try again.",
		}
	}
	return lines, advice
}

// placeLines says what became of the file that clients find a socket by.
func (c *Case) placeLines(w *wait, s *procfs.SocketInfo) []string {
	switch {
	case s.Place == procfs.PlaceGone:
		return []string{"The file " + s.Name + " is not there any more: no client can find this socket."}
	case s.Place == procfs.PlaceTaken && s.Successor == 0:
		return []string{"The file " + s.Name + " is another one now: no client can find this socket."}
	case s.Place == procfs.PlaceTaken:
		lines := []string{"The file " + s.Name + " belongs to another socket now: no client can find this one."}
		holders, unread := c.socketHolders(w, s.Successor)
		return append(lines, openIn("The other one, "+w.endOf(s.Successor).Target+", is", holders, unread, w.p.PID)...)
	}
	return nil
}

var placeAdvice = map[procfs.Place][]string{
	procfs.PlaceGone:  {"Clients find the server by this file: remove an old one before bind(2), never a new one after it."},
	procfs.PlaceTaken: {"Clients find the server by this file, and whoever called bind(2) last has it: start one server only."},
}

// clients finds the processes of the step that are connected to this server
// already, and those that are connected to somebody else.
func (c *Case) clients(w *wait, server *procfs.SocketInfo) (here, elsewhere []string) {
	for i := range c.Processes {
		p := &c.Processes[i]
		for j := range p.Files {
			s := p.Socket(&p.Files[j])
			if s == nil || !s.Connected || s.Type != server.Type || s.IsUnix() != server.IsUnix() {
				continue
			}
			as := name(p) + " is connected to "
			fd := ", as fd " + strconv.Itoa(p.Files[j].FD) + "."
			switch name := remoteName(p, s); {
			case name == "" || s.Name == server.Name || w.p.ListenerAt(s.Name) != nil:
				// A pair, or the end that a server has accepted.
			case name != server.Name:
				elsewhere = append(elsewhere, as+name+fd)
			case sameFile(p, s, server):
				here = append(here, as+thisServer(server)+" already"+fd)
			default:
				elsewhere = append(elsewhere, as+"another socket of that name"+fd)
			}
		}
	}
	return here, elsewhere
}

// thisServer names the server for a client that is connected. Without a file it could
// be an older server of that address, too.
func thisServer(s *procfs.SocketInfo) string {
	if s.FileInode != 0 {
		return "this socket"
	}
	return "this address"
}

// sameFile reports whether a client is connected to the file of this server. An
// abstract name, and an address of the Internet, has no file.
func sameFile(p *procfs.Process, client, server *procfs.SocketInfo) bool {
	to := p.OtherEnd(client)
	if l := p.QueuedAt(client); l != nil {
		to = l
	}
	return to == nil || to.FileInode == server.FileInode && to.FileDev == server.FileDev
}
