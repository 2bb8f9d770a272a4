/// The page's style sheet: light, dark, narrow and paper.
enum PageStyle {
    static let sheet: StaticString = """
        :root{--bg:#fff;--fg:#1c2128;--soft:#5b6570;--rule:#dfe3e8;--card:#f6f8fa;--grid:#e6e9ed;--link:#0b5cad;
        --good:#1a7f37;--bad:#c3232c;--c1:#2f6fb2;--c2:#d9722b;--c3:#2e9e78;--c4:#7a5bb0;--c5:#b8972d;--c6:#8a9099;
        --c7:#c9d1da;--c8:#444;--q0:#eef1f4;--q1:#dcebf7;--q2:#c1dcf0;--q3:#9dc8e6;--q4:#74afd9;--q5:#4c93c8;--q6:#3076b2;
        --q7:#c9762f;--q8:#b9501f;--q9:#9c2016}
        @media (prefers-color-scheme:dark){:root{--bg:#14181d;--fg:#e4e8ec;--soft:#9aa5b1;--rule:#313943;--card:#1c2229;
        --grid:#2a313a;--link:#79b8ff;--good:#56d364;--bad:#ff7b72;--c1:#5a9bdc;--c2:#e88d4c;--c3:#4bbd94;--c4:#a48bdb;
        --c5:#d4b44a;--c6:#7d8590;--c7:#414b57;--c8:#ccc;--q0:#1f262e;--q1:#1d3347;--q2:#1f415f;--q3:#225179;--q4:#276396;
        --q5:#3279b4;--q6:#4a95d2;--q7:#d58a3f;--q8:#e36b38;--q9:#f5473b}}
        *{box-sizing:border-box}
        body{margin:0;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;color:var(--fg);
        background:var(--bg)}
        header,main,footer{max-width:1080px;margin:0 auto;padding:0 20px}
        header{padding-top:28px}footer{padding:16px 20px 40px;color:var(--soft)}
        h1{font-size:28px;line-height:1.2;margin:2px 0 6px;overflow-wrap:anywhere}
        .kicker{margin:0;color:var(--soft);font-size:13px;letter-spacing:.04em;text-transform:uppercase}
        .facts,.note,.data{color:var(--soft)}.data{font-size:13px;margin:10px 0 0}.facts{margin:0 0 18px}
        a{color:var(--link)}
        section{margin:0 0 36px}section>h2{font-size:20px;margin:0 0 12px;padding-top:14px;border-top:1px solid var(--rule)}
        .headline{margin:0 0 10px}
        .verdicts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px}
        .card{background:var(--card);border:1px solid var(--rule);border-left:5px solid var(--soft);border-radius:6px;
        padding:14px 16px}
        .card h2{font-size:16px;margin:0 0 8px;display:flex;justify-content:space-between;gap:10px;align-items:center}
        .card .headline{font-weight:600}.advice{margin:0 0 10px}
        .badge{font-size:13px;padding:2px 10px;border-radius:12px;border:1px solid currentColor;white-space:nowrap;
        color:var(--soft)}
        .met{border-left-color:var(--good)}.met .badge{color:var(--good)}
        .missed{border-left-color:var(--bad)}.missed .badge{color:var(--bad)}
        dl{margin:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:2px 18px;font-size:13.5px}
        dl div{display:flex;justify-content:space-between;gap:10px;border-top:1px solid var(--rule);padding:3px 0}
        dl.wide{grid-template-columns:1fr;margin-bottom:14px}dl.wide div{justify-content:flex-start}dl.wide dt{flex:0 0 170px}
        dt{color:var(--soft)}dd{margin:0;text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
        dl.wide dd{text-align:left}
        .alarm{border:2px solid var(--bad);border-radius:6px;padding:10px 14px;margin:0 0 18px}.alarm ul{margin:6px 0 0}
        figure{margin:0 0 20px}figcaption{margin-bottom:6px;display:flex;flex-wrap:wrap;gap:4px 18px;align-items:baseline}
        .legend{display:inline-flex;flex-wrap:wrap;gap:2px 14px;color:var(--soft);font-size:13px}
        .legend span{display:inline-flex;align-items:center;gap:6px}
        .legend i{width:12px;height:12px;border-radius:2px;display:inline-block}
        .shades{display:flex;align-items:center;gap:2px;margin:0 0 12px}.shades i{width:20px;border-radius:0}
        .scroll{overflow-x:auto}.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
        .scroll>.chart{min-width:620px}
        .chart{display:block;width:100%;height:auto;font-family:inherit}
        .chart text{fill:var(--soft);font-size:11.5px}.chart .halo{fill:var(--fg);paint-order:stroke;stroke:var(--bg);
        stroke-width:3px;stroke-linejoin:round}
        .g{stroke:var(--grid);stroke-width:1}.k{stroke:var(--soft);stroke-width:1}
        .limit{stroke:var(--bad);stroke-width:1.5}.dashed{stroke-dasharray:6 4}
        .mark{stroke:var(--fg);stroke-width:1;stroke-dasharray:2 3}
        .area{fill-opacity:.72}.line{fill:none;stroke-width:1}.thick{stroke-width:2;stroke-linejoin:round}
        .f1{fill:var(--c1);background:var(--c1)}.f2{fill:var(--c2);background:var(--c2)}
        .f3{fill:var(--c3);background:var(--c3)}.f4{fill:var(--c4);background:var(--c4)}
        .f5{fill:var(--c5);background:var(--c5)}.f6{fill:var(--c6);background:var(--c6)}
        .f7{fill:var(--c7);background:var(--c7)}.f8{fill:var(--c8);background:var(--c8)}
        .fx{fill:var(--bad);background:var(--bad)}.pale{opacity:.4}
        .s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.s4{stroke:var(--c4)}.s5{stroke:var(--c5)}
        .s6{stroke:var(--c6)}.s7{stroke:var(--c7)}.s8{stroke:var(--c8)}
        .q0{fill:var(--q0);background:var(--q0)}.q1{fill:var(--q1);background:var(--q1)}
        .q2{fill:var(--q2);background:var(--q2)}.q3{fill:var(--q3);background:var(--q3)}
        .q4{fill:var(--q4);background:var(--q4)}.q5{fill:var(--q5);background:var(--q5)}
        .q6{fill:var(--q6);background:var(--q6)}.q7{fill:var(--q7);background:var(--q7)}
        .q8{fill:var(--q8);background:var(--q8)}.q9{fill:var(--q9);background:var(--q9)}
        .maps{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:14px 24px}
        .maps figure{margin:0}.maps figcaption{display:block;font-size:13px;color:var(--soft);margin:0 0 4px}
        .maps strong{color:var(--fg)}
        table{border-collapse:collapse;width:100%;font-size:13.5px;margin:4px 0 14px}
        caption{text-align:left;color:var(--soft);padding:4px 0}
        th,td{padding:4px 14px 4px 0;border-top:1px solid var(--rule);vertical-align:top;text-align:left}
        th{font-weight:600;border-top:0;white-space:nowrap}td.t{min-width:90px;overflow-wrap:anywhere}
        .n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
        .bar{width:16%;min-width:70px;padding:8px 0 4px}.bar svg{display:block;width:100%;height:10px}
        details{margin:0 0 10px}summary{cursor:pointer;color:var(--link);padding:4px 0}
        @media (max-width:560px){body{font-size:14px}h1{font-size:23px}header,main{padding-left:14px;padding-right:14px}
        dl{grid-template-columns:1fr}dl.wide dt{flex-basis:120px}.bar{display:none}}
        @media print{:root{--bg:#fff;--fg:#000;--card:#fff}body{font-size:11px}header,main,footer{max-width:none}
        .card,figure,tr{break-inside:avoid}.scroll{overflow:visible}.scroll>.chart{min-width:0}section>h2{break-after:avoid}
        *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
        """
}
