// SPDX-License-Identifier: Apache-2.0

package nodestate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// locate finds what the runtime itself says of its CNI directories: its live
// state where it answers, else its configuration, else the command line of
// cri-dockerd, else the default of all runtimes. It prints one fact per line;
// what may hold anything is base64.
const locate = `info=$(crictl info 2>/dev/null || k3s crictl info 2>/dev/null)
[ -n "$info" ] && echo runtime $(printf "%s\n" "$info" | base64 | tr -d '\n')
flags=$(pgrep -ax cri-dockerd | tr '\n' ' ')
said=$(printf "%s\n" "$info" | grep -E 'onf_?[dD]ir|PluginDirs')
[ -n "$flags" ] && said= || { [ -n "$said" ] && said=$info; } || said=$(containerd config dump 2>/dev/null || crio config 2>/dev/null)
said=$(printf "%s\n" "$said" | grep -v '^ *#' | tr '\n' ' ')
conf=$(printf "%s\n" "$said" | grep -oE '(PluginConfDir|[^A-Za-z_](confDir|conf_dir|network_dir))"? *[:=] *["'\''][^"'\'']+' | head -n 1 | grep -oE '/[^"'\'']*$')
conf=${conf:-$(printf "%s\n" "$flags" | grep -oE 'cni-conf-dir[= ][^ ]+' | grep -oE '/.*')}
bins=$(printf "%s\n" "$said" | grep -oE '(PluginDirs|[^A-Za-z_](binDirs?|bin_dirs?|plugin_dirs))"? *[:=] *(\[[^]]*|["'\''][^"'\'']+)' | grep -oE '/[^]"'\'', ]*' | sed 's,/*$,,' | awk '!seen[$0]++')
bins=${bins:-$(printf "%s\n" "$flags" | grep -oE 'cni-bin-dir[= ][^ ]+' | grep -oE '/.*' | tr , '\n')}
[ -n "$conf" ] || echo guessed
conf=${conf:-/etc/cni/net.d} bins=${bins:-/opt/cni/bin}
conf=${conf%/}
echo confdir $conf
for d in $bins; do echo bindir $d; done
for d in $conf /etc/cni/net.d /opt/cni/net.d; do for f in $d/*.conf $d/*.conflist $d/*.json; do [ -f "$f" ] && echo file $f; done; done
first=$(ls -1 $conf 2>/dev/null | grep -E '\.(conf|conflist|json)$' | head -n 1)
[ -n "$first" ] && echo config $(base64 <"$conf/$first" | tr -d '\n')
`

// ask runs the plugins the configuration names, as the runtime does, for their
// version only (CNI specification 1.0.0, VERSION): nothing else is in it that
// the plugin directories have a program for. flannel runs bridge and host-local
// without being told.
const ask = `names=$([ -n "$first" ] && grep -oE '"type"[[:space:]]*:[[:space:]]*"[^"/]+"' "$conf/$first" | sed 's/.*"\(.*\)"$/\1/')
case " $(echo $names) " in *' flannel '*) names="$names bridge host-local";; esac
for n in $(printf '%s\n' loopback $names | sort -u); do for d in $bins; do
[ -f $d/$n ] || continue
if [ -x $d/$n ]; then
o=$(echo '{"cniVersion":"1.0.0"}' | CNI_COMMAND=VERSION CNI_CONTAINERID=x CNI_NETNS=/x CNI_IFNAME=x CNI_PATH=$d $d/$n 2>&1)
echo plugin $n $d/$n $? $(printf "%s\n" "$o" | base64 | tr -d '\n')
else echo plugin $n $d/$n 126; fi
break; done; done
`

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
	for line := range strings.Lines(out) {
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
		case "config":
			config, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return nil, fmt.Errorf("decode the configuration: %w", err)
			}
			n.Config = config
		case "runtime":
			text, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return nil, fmt.Errorf("decode what the runtime says: %w", err)
			}
			n.Runtime = &Runtime{}
			if err := json.Unmarshal(text, n.Runtime); err != nil {
				return nil, fmt.Errorf("read what crictl info prints: %w", err)
			}
		case "plugin":
			n.addPlugin(value)
		}
	}
	if n.ConfDir == "" {
		return nil, fmt.Errorf("the node's shell named no directory")
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

func (n *Network) addPlugin(text string) {
	words := strings.SplitN(text, " ", 4)
	if len(words) < 3 {
		return
	}
	p := Plugin{Path: words[1]}
	_, _ = fmt.Sscan(words[2], &p.Code) // the shell printed it
	if len(words) == 4 {
		answer, _ := base64.StdEncoding.DecodeString(words[3])
		p.Answer = strings.TrimSpace(string(answer))
	}
	n.Plugins[words[0]] = p
}
