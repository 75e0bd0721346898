module tools/metallb-0.16.1

go 1.26

require go.universe.tf/metallb v0.16.1
