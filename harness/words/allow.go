package words

// allowed are the commands that a reader may be told to type, besides task and
// workbook, and why each is there. Builtins of the shell have no other reason.
var allowed = map[string]string{
	"git": "the workbook is cloned and restored with it",
	"go":  "the workbook needs it anyway",

	"cmp":     "compares two outputs",
	"cut":     "takes columns of what a command prints",
	"dd":      "writes blocks of a chosen size",
	"env":     "sets a variable for one command",
	"find":    "finds files",
	"fold":    "cuts a stream into pieces",
	"ln":      "makes a link",
	"mktemp":  "makes a name that nobody has",
	"nl":      "numbers lines",
	"od":      "shows bytes",
	"seq":     "makes numbered lines",
	"sort":    "sorts what a command prints",
	"stat":    "shows what a file is",
	"tee":     "reads from one pipe and writes to two",
	"timeout": "ends a command that waits",
	"tr":      "replaces bytes",
	"uniq":    "drops what is twice",
	"xxd":     "shows bytes",
	"yes":     "writes for ever",

	"cat":   "shows a file",
	"chmod": "permissions are part of the lessons",
	"cp":    "copies a solution to keep it",
	"curl":  "fetches Go where there is none",
	"diff":  "compares two solutions",
	"grep":  "searches in what a command prints",
	"head":  "shows the start of what a command prints",
	"jq":    "reads the JSON that test and bench print",
	"less":  "pages what is long",
	"ls":    "shows what is there",
	"mkdir": "makes a folder for a solution",
	"mv":    "renames",
	"rm":    "removes what the reader made",
	"sed":   "shows some lines of a file",
	"sh":    "runs a script",
	"tail":  "shows the end of what a command prints",
	"tar":   "packs a hand-in",
	"touch": "makes a file",
	"wc":    "counts",

	"ipcrm":    "removes System V objects",
	"ipcs":     "lists System V objects",
	"lsof":     "shows who holds a descriptor",
	"man":      "the manual pages are what the lessons are about",
	"mkfifo":   "makes a named pipe",
	"perf":     "shows what a program's time is spent on",
	"pgrep":    "finds a process",
	"ps":       "shows processes",
	"readlink": "shows what a descriptor is",
	"pstree":   "shows who started whom",
	"top":      "shows who uses the processor",
	"stty":     "shows how a terminal is set",
	"sleep":    "a process to look at",
	"ss":       "shows sockets",
	"strace":   "shows system calls",
	"uname":    "shows the kernel's version",

	"apt-get":      "installs what the machine lacks",
	"dnf":          "installs what the machine lacks",
	"sudo":         "installing needs it",
	"docker":       "runs the container of .devcontainer",
	"devcontainer": "runs the container of .devcontainer",
	"wsl":          "Windows' way to a Linux",

	"python3": "the peer of the benchmarks",
	"cc":      "the peer of the benchmarks",

	".":       "builtin",
	":":       "builtin",
	"[":       "builtin",
	"alias":   "builtin",
	"cd":      "builtin",
	"echo":    "builtin",
	"eval":    "builtin",
	"exec":    "builtin",
	"exit":    "builtin",
	"export":  "builtin",
	"false":   "builtin",
	"jobs":    "builtin",
	"kill":    "builtin",
	"printf":  "builtin",
	"pwd":     "builtin",
	"read":    "builtin",
	"set":     "builtin",
	"test":    "builtin",
	"trap":    "builtin",
	"true":    "builtin",
	"type":    "builtin",
	"ulimit":  "builtin",
	"umask":   "builtin",
	"unset":   "builtin",
	"wait":    "builtin",
	"command": "builtin",
}

// keywords of the shell stand before a command.
var keywords = map[string]bool{
	"if": true, "then": true, "elif": true, "else": true, "fi": true, "while": true, "until": true,
	"do": true, "done": true, "{": true, "}": true, "!": true, "time": true,
}

// makers make what they name, so their arguments need not exist.
var makers = map[string]bool{"mkdir": true, "touch": true, "mkfifo": true, "rm": true, "cp": true, "mv": true}

// taskFlags are the flags of go-task itself that a reader may be told of.
var taskFlags = map[string]bool{"--list": true, "-l": true, "--help": true, "-h": true, "--version": true, "-x": true, "--exit-code": true, "--summary": true}
