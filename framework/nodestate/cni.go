// SPDX-License-Identifier: Apache-2.0

package nodestate

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// locate finds what the runtime itself says of its CNI directories: its live
// state where it answers, else its configuration, else the command line of
// cri-dockerd, else the default of all runtimes. It prints one fact per line, and
// then what may hold anything in sections of their own. Few processes: on a node
// short of processor each counts.
const locate = `info=$(crictl info 2>/dev/null || k3s crictl info 2>/dev/null)
said=$info
case $said in *onfDir*|*onf_dir*|*PluginDirs*) ;; *) said=$(containerd config dump 2>/dev/null || crio config 2>/dev/null) ;; esac
flags=$(pgrep -ax cri-dockerd) && said=$flags
conf= bins=
while read -r kind dir; do
case $kind in conf) conf=$dir;; bin) bins="$bins $dir";; esac
done <<EOF
$(printf '%s\n' "$said" | awk '` + directories + `')
EOF
[ -n "$conf" ] || echo guessed
conf=${conf:-/etc/cni/net.d} bins=${bins:-/opt/cni/bin}
conf=${conf%/}
echo confdir $conf
for d in $bins; do echo bindir $d; done
for d in $conf /etc/cni/net.d /opt/cni/net.d; do for f in $d/*.conf $d/*.conflist $d/*.json; do [ -f "$f" ] && echo file $f; done; done
first=
for f in $conf/*; do case $f in *.conf|*.conflist|*.json) first=$f; break;; esac; done
[ -z "$info" ] || printf '` + section + `runtime\n%s\n' "$info"
[ -z "$first" ] || { printf '` + section + `config\n'; cat "$first"; }
`

// section begins a section: ASCII's record separator, which JSON cannot hold.
const section = `\036`

// directories finds the first configuration directory and all plugin directories
// in crictl info (JSON), a configuration (TOML) or a command line.
const directories = `
BEGIN { all = " " }
!/^ *#/ { all = all $0 " " }
END {
	if (match(all, "(PluginConfDir|[^A-Za-z_](confDir|conf_dir|network_dir))\"? *[:=] *[\"\047][^\"\047]+") || match(all, "cni-conf-dir[= ][^ ]+")) {
		dir = substr(all, RSTART, RLENGTH)
		if (sub(/^[^\/]*\//, "/", dir)) print "conf", dir
	}
	while (match(all, "(PluginDirs|[^A-Za-z_](binDirs?|bin_dirs?|plugin_dirs))\"? *[:=] *(\\[[^]]*|[\"\047][^\"\047]+)|cni-bin-dir[= ][^ ]+")) {
		list = substr(all, RSTART, RLENGTH); all = substr(all, RSTART + RLENGTH)
		while (match(list, /\/[^]"\047, ]*/)) {
			dir = substr(list, RSTART, RLENGTH); list = substr(list, RSTART + RLENGTH)
			sub(/\/*$/, "", dir)
			if (!seen[dir]++) print "bin", dir
		}
	}
}`

// ask runs the plugins the configuration names, as the runtime does, for their
// version only (CNI specification 1.0.0, VERSION): nothing else is in it that
// the plugin directories have a program for. flannel runs bridge and host-local
// without being told.
const ask = `names=$([ -z "$first" ] || awk '` + types + `' "$first")
for n in loopback $names; do for d in $bins; do
[ -f $d/$n ] || continue
o= c=126
[ ! -x $d/$n ] || { o=$(CNI_COMMAND=VERSION CNI_CONTAINERID=x CNI_NETNS=/x CNI_IFNAME=x CNI_PATH=$d $d/$n 2>&1 <<EOF
{"cniVersion":"1.0.0"}
EOF
); c=$?; }
printf '` + section + `plugin %s %s %d\n%s\n' $n $d/$n $c "$o"
break; done; done
`

// types are the plugins of a configuration, each once.
const types = `
{ all = all $0 " " }
END {
	seen["loopback"]
	while (match(all, /"type"[ \t\r]*:[ \t\r]*"[^"\/]+"/)) {
		name = substr(all, RSTART, RLENGTH); all = substr(all, RSTART + RLENGTH)
		sub(/"$/, "", name); sub(/.*"/, "", name)
		add(name)
		if (name == "flannel") { add("bridge"); add("host-local") }
	}
}
function add(name) { if (!(name in seen)) print name; seen[name] }`

var (
	// CNI is the runtime's CNI configuration.
	CNI = Part{"its CNI configuration", locate}
	// Plugins is CNI with the versions of the plugins.
	Plugins = Part{"its CNI plugins", locate + ask}
)

// Network is a node's CNI configuration as its runtime finds it.
type Network struct {
	// ConfDir and BinDirs are the directories the runtime looks in; Guessed
	// tells that it did not say and the usual ones were looked at.
	ConfDir string
	BinDirs []string
	Guessed bool
	// Files are all configuration files, in ConfDir and in the usual places.
	Files []string
	// File is the first of ConfDir in the order of names, the one that counts;
	// Config is what is in it. Empty where there is none.
	File   string
	Config []byte
	// Runtime is what the runtime says of itself; nil where it does not answer.
	Runtime *Runtime
	// Plugins are the answers of the plugins by name; it needs part Plugins.
	Plugins map[string]Plugin
}

// Plugin is a program of a plugin directory.
type Plugin struct {
	Path string
	// Code is its exit code, 126 where it may not be executed.
	Code int
	// Answer is what it printed.
	Answer string
}

// Runtime is what a runtime says over the CRI, as crictl info prints it.
type Runtime struct {
	Status struct {
		Conditions []struct {
			Type, Reason, Message string
			Status                bool
		}
	} `json:"status"`
	// Loaded are the configurations containerd has in use.
	Loaded struct {
		Networks []struct {
			Config struct{ Name, Source string }
		}
	} `json:"cniconfig"`
	// LastLoad is containerd's word on the last time it read them.
	LastLoad string `json:"lastCNILoadStatus"`
}

// Network needs part CNI or Plugins.
func (s *State) Network() (*Network, error) {
	p := CNI
	if _, ok := s.answers[Plugins]; ok {
		p = Plugins
	}
	out, err := s.text(p)
	if err != nil {
		return nil, err
	}
	n, err := parseNetwork(string(out))
	if err != nil {
		return nil, s.unread(p, err)
	}
	return n, nil
}

func parseNetwork(out string) (*Network, error) {
	n := &Network{Plugins: map[string]Plugin{}}
	facts, rest, _ := strings.Cut(out, "\036")
	for line := range strings.Lines(facts) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "guessed":
			n.Guessed = true
		case "confdir":
			n.ConfDir = value
		case "bindir":
			n.BinDirs = append(n.BinDirs, value)
		case "file":
			n.addFile(value)
		}
	}
	if n.ConfDir == "" {
		return nil, fmt.Errorf("the node's shell named no directory")
	}
	for part := range strings.SplitSeq(rest, "\036") {
		head, body, _ := strings.Cut(part, "\n")
		switch key, value, _ := strings.Cut(head, " "); key {
		case "config":
			n.Config = []byte(body)
		case "runtime":
			n.Runtime = &Runtime{}
			if err := json.Unmarshal([]byte(body), n.Runtime); err != nil {
				return nil, fmt.Errorf("read what crictl info prints: %w", err)
			}
		case "plugin":
			n.addPlugin(value, body)
		}
	}
	return n, nil
}

func (n *Network) addFile(file string) {
	for _, known := range n.Files {
		if known == file {
			return
		}
	}
	n.Files = append(n.Files, file)
	if path.Dir(file) == n.ConfDir && (n.File == "" || file < n.File) {
		n.File = file
	}
}

func (n *Network) addPlugin(head, answer string) {
	words := strings.Fields(head)
	if len(words) < 3 {
		return
	}
	p := Plugin{Path: words[1], Answer: strings.TrimSpace(answer)}
	_, _ = fmt.Sscan(words[2], &p.Code) // the shell printed it
	n.Plugins[words[0]] = p
}
