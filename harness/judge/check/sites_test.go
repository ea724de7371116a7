package check

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFunctionThatAMessageIsAbout(t *testing.T) {
	s := sites{"New": {}, "Reader": {}, "Reader.Close": {}, "Writer.Close": {}, "Writer.Send": {}, "end.Close": {}, "end.Flush": {}, "Stat": {typ: true}, "SysV.Stat": {}, "Attr": {typ: true}}
	for _, c := range []struct{ function, message, edit, want string }{
		{"New", "New()", "Writer.Send", "New"},
		{"Send", "Send() with no reader left", "New", "Writer.Send"},
		{"Close", "Close() of the Writer", "Reader.Recv", "Writer.Close"},
		{"Close", "Close() of the Reader", "Writer.Send", "Reader.Close"},
		{"Close", "Close() by one who has inherited the Writer", "Reader.Recv", "Writer.Close"},
		{"Close", "Close() twice\n  the Writer is open", "Reader.Recv", "Reader.Close"},
		{"Close", "Close() when there is no room", "Writer.Send", "Writer.Close"},
		{"Close", "Close() when there is no room", "New", "Reader.Close"},
		{"Flush", "Flush()", "New", "end.Flush"},
		{"Nothing", "Nothing()", "New", ""},
		{"Stat", "Stat() after Remove()", "New", "SysV.Stat"}, // and not the type
		{"Attr", "Attr(x)", "New", "Attr"},
	} {
		for range 20 { // a map has no order
			require.Equal(t, c.want, s.declared(c.function, c.message, c.edit), c.message)
		}
	}
}
