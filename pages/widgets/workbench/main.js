const mounted = new Map();

/** Streamlit calls this at the mount and after each run of the script with new data. */
export default function workbench({ data, key, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".wb");
  let wb = mounted.get(key);
  if (!wb || wb.root !== root) {
    wb?.destroy();
    root.tabIndex = 0;
    root.setAttribute("role", "application");
    root.setAttribute("aria-label", "Workbench: video and timeline. Press ? for the keys.");
    wb = new Workbench(root, key);
    root.workbench = wb;
    mounted.set(key, wb);
    if (document.activeElement === document.body) wb.focus();
  }
  wb.update(data, setStateValue);
  return () => {
    if (mounted.get(key) !== wb) return;
    mounted.delete(key);
    wb.destroy();
  };
}
