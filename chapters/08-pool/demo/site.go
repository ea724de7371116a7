package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	mostPages = 10000
	mostTasks = 10_000_000
	hugeSize  = 1 << 20
)

// links are the pages that the front page names, in this order.
func links(pages int) []string {
	all := []string{"/slow/1", "/broken", "/missing", "/slow/2", "/huge", "/odd"}
	for n := range pages {
		all = append(all, fmt.Sprintf("/page/%d", n+1))
	}
	return all
}

// site serves pages on a port of this machine that nobody else sees, and returns its address.
func site(o order) (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<title>The front page</title>\n")
		for _, path := range links(o.pages) {
			fmt.Fprintf(w, "<a href=%q>%s</a>\n", path, path)
		}
	})
	mux.HandleFunc("GET /page/{n}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<title>Page %s</title>\n%s\n", r.PathValue("n"), strings.Repeat("words ", 200))
	})
	mux.HandleFunc("GET /slow/{n}", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(o.slow):
			fmt.Fprintf(w, "<title>Slow page %s</title>\n", r.PathValue("n"))
		case <-r.Context().Done(): // nobody waits any more
		}
	})
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "<title>Half a page")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // the connection is closed, and nothing is logged
	})
	mux.HandleFunc("GET /huge", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "<title>A huge page</title>\n%s", strings.Repeat("x", hugeSize))
	})
	mux.HandleFunc("GET /odd", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "This page has no title.\n")
	})
	go func() { _ = http.Serve(listener, mux) }() // it ends with this process
	return "http://" + listener.Addr().String(), nil
}
