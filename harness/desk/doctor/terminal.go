package doctor

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// The screen is made for so many columns.
const columns = 80

func (m Machine) terminal() Finding {
	f := finding("terminal", "what you see", "everything: signs and words say what colour does")
	if !term.IsTerminal(int(m.Out.Fd())) {
		f.Found = "none: a file or a pipe"
		return f
	}
	wide, high, err := term.GetSize(int(m.Out.Fd()))
	if err != nil {
		f.but(Less, err.Error(), "try another terminal")
		return f
	}
	f.Found = fmt.Sprintf("%d × %d", wide, high)
	switch {
	case os.Getenv("TERM") == "" || os.Getenv("TERM") == "dumb":
		f.but(Less, f.Found+", TERM="+os.Getenv("TERM"), "export TERM=xterm-256color")
	case wide < columns:
		f.but(Less, f.Found, fmt.Sprintf("make the window %d columns wide", columns))
	}
	return f
}
