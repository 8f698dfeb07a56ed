/** The systemd unit of ops-data 5, for where this executable stands. */
export const systemdUnit = (executable: string): string => `[Unit]
Description=OpenAgents
After=network-online.target
Wants=network-online.target
[Service]
Type=exec
User=openagents
StateDirectory=openagents
StateDirectoryMode=0700
EnvironmentFile=-/etc/openagents/openagents.env
LoadCredential=app_key:/etc/openagents/app_key
Environment=APP_KEY_FILE=%d/app_key
ExecStart=${executable} serve --log-format json
KillMode=mixed
TimeoutStopSec=30
Restart=always
RestartSec=2
RestartPreventExitStatus=2 77 78
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictSUIDSGID=yes
LockPersonality=yes
UMask=0077
LimitNOFILE=65536
[Install]
WantedBy=multi-user.target
`;
