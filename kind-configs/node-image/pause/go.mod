module github.com/cniproof/cniproof/kind-configs/node-image/pause

go 1.26.0
